import * as z from 'zod'
import { cel, duration, positive, secretKey, text, textList } from './shapes.ts'

export const TRIGGER_SOURCES = [
  'webhook',
  'cloudEvent',
  'nats',
  'amqp',
  'kafka',
  'redis',
  'mqtt',
  's3',
  'dag',
] as const

const tls = z
  .strictObject({
    enabled: z.boolean().describe('Speak TLS.').meta({ default: false }).optional(),
    caSecret: secretKey.describe('Certificate of the authority.').optional(),
    certSecret: secretKey.describe('Client certificate.').optional(),
    keySecret: secretKey.describe('Key of the client certificate.').optional(),
  })
  .describe('Encryption of the connection.')
const username = text.describe('User name at the server.').optional()
const password = secretKey.describe('Secret with the password.').optional()

const webhook = z.strictObject({
  path: text.describe('Last part of the address; the name of the trigger when absent.').optional(),
  auth: z
    .enum(['hmac', 'token', 'none'])
    .describe('How the sender proves itself.')
    .meta({ default: 'hmac' })
    .optional(),
  secret: secretKey.describe('Secret with the HMAC key or the token.').optional(),
  sender: z
    .enum(['github', 'gitlab', 'stripe', 'standard'])
    .describe('Who sends, which says where the signature or token stands and what it is made of.')
    .optional(),
  header: text.describe('Header that carries the signature or token.').optional(),
  prefix: text.describe('Text before the signature or token in the header, such as `sha256=`.').optional(),
  algorithm: z
    .enum(['sha256', 'sha512', 'sha1'])
    .describe('Hash of the HMAC.')
    .meta({ default: 'sha256' })
    .optional(),
  encoding: z
    .enum(['hex', 'base64'])
    .describe('How the signature is written.')
    .meta({ default: 'hex' })
    .optional(),
  tolerance: duration
    .describe('How far the time that a sender signs may lie from ours.')
    .meta({ default: '5m' })
    .optional(),
})
const cloudEvent = z.strictObject({
  types: textList.describe('Event types that count; all when absent.').optional(),
  source: text.describe('Source that counts; every one when absent.').optional(),
  secret: secretKey.describe('Secret with the token that senders must show.').optional(),
})
const nats = z.strictObject({
  servers: textList.min(1).describe('Addresses, such as nats://nats:4222.'),
  stream: text.describe('JetStream stream.').optional(),
  subject: text.describe('Subject; may hold wildcards.'),
  consumer: text.describe('Durable consumer; derived from the DAG when absent.').optional(),
  credentials: secretKey.describe('Secret with a credentials file or token.').optional(),
  tls: tls.optional(),
})
const amqp = z.strictObject({
  url: text.describe('Address without a password, such as amqps://rabbit:5671/vhost.'),
  queue: text.describe('Queue to consume.'),
  exchange: text.describe('Exchange that the queue is bound to.').optional(),
  routingKey: text.describe('Routing key of the binding.').optional(),
  prefetch: positive.describe('Messages taken at once.').optional(),
  username,
  password,
  tls: tls.optional(),
})
const kafka = z.strictObject({
  brokers: textList.min(1).describe('Addresses, such as kafka:9092.'),
  topics: textList.min(1).describe('Topics to read.'),
  group: text.describe('Consumer group; derived from the DAG when absent.').optional(),
  from: z
    .enum(['earliest', 'latest'])
    .describe('Where a new group starts.')
    .meta({ default: 'latest' })
    .optional(),
  sasl: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .describe('How the client proves itself.')
    .optional(),
  username,
  password,
  tls: tls.optional(),
})
const redis = z.strictObject({
  url: text.describe('Address without a password, such as redis://redis:6379/0.'),
  stream: text.describe('Stream to read.'),
  group: text.describe('Consumer group; derived from the DAG when absent.').optional(),
  username,
  password,
  tls: tls.optional(),
})
const mqtt = z.strictObject({
  url: text.describe('Address without a password, such as mqtts://broker:8883.'),
  topics: textList.min(1).describe('Topics; may hold wildcards.'),
  qos: z
    .int()
    .min(1)
    .max(2)
    .describe('Quality of service; 0 could lose events.')
    .meta({ default: 1 })
    .optional(),
  clientId: text.describe('Client id; derived from the DAG when absent.').optional(),
  username,
  password,
  tls: tls.optional(),
})
const s3 = z.strictObject({
  bucket: text.describe('Bucket to watch.'),
  prefix: text.describe('Only keys that start so.').optional(),
  suffix: text.describe('Only keys that end so.').optional(),
  endpoint: text.describe('Address of the server; AWS when absent.').optional(),
  region: text.describe('Region of the bucket.').optional(),
  events: textList
    .describe('Kinds of notification that count.')
    .meta({ default: ['s3:ObjectCreated:*'] })
    .optional(),
  queueUrl: text.describe('Queue that gets the notifications; the bucket is listed when absent.').optional(),
  interval: duration.describe('Time between two listings.').meta({ default: '1m' }).optional(),
  accessKey: secretKey.describe('Secret with the access key id.').optional(),
  secretKey: secretKey.describe('Secret with the secret access key.').optional(),
})
const dag = z.strictObject({
  name: text.describe('Name of the DAG in the same namespace.'),
  phases: z
    .array(z.enum(['succeeded', 'failed', 'cancelled']))
    .min(1)
    .describe('Ends that count.')
    .meta({ default: ['succeeded'] })
    .optional(),
})

const sourceRule = {
  rule: `[${TRIGGER_SOURCES.map(source => `has(self.${source})`).join(', ')}].filter(given, given).size() == 1`,
  message: 'a trigger has exactly one source',
} as const

/** One source of runs. Exactly one of the sources is given. */
export const trigger = z
  .strictObject({
    name: text.describe('Name of the trigger, unique in the DAG.').optional(),
    filter: cel.describe('CEL over `event`; false lets the event pass by.').optional(),
    parameters: z
      .array(
        z.strictObject({
          name: text.describe('Name of a parameter of the DAG.'),
          value: text.describe('Text that may hold `${{ event… }}`.'),
        }),
      )
      .describe('Parameters of the run, made from the event.')
      .optional(),
    dedupeKey: text
      .describe('Text that may hold `${{ event… }}`; events of the same key give one run.')
      .optional(),
    webhook: webhook.describe('An incoming HTTP request.').optional(),
    cloudEvent: cloudEvent.describe('A CloudEvent over HTTP.').optional(),
    nats: nats.describe('A message of NATS JetStream.').optional(),
    amqp: amqp.describe('A message of an AMQP queue.').optional(),
    kafka: kafka.describe('A record of a Kafka topic.').optional(),
    redis: redis.describe('An entry of a Redis stream.').optional(),
    mqtt: mqtt.describe('An MQTT message.').optional(),
    s3: s3.describe('A new object in a bucket.').optional(),
    dag: dag.describe('The end of a run of another DAG.').optional(),
  })
  .meta({ 'x-kubernetes-validations': [sourceRule] })
