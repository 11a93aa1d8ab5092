import * as z from 'zod'

/**
 * The small shapes that the documents are made of. The schema says which shape a field has; what a text must look
 * like inside (names, durations, cron, CEL) is checked by the passes in `spec/check/`, since those can say more than
 * "does not match". `pattern` is for editors and the API server.
 */

/** A duration such as `90s` or `1h30m`. */
export const duration = z.string().meta({
  pattern: '^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$',
  examples: ['90s', '1h30m'],
})

export const text = z.string()

export const textList = z.array(z.string())

export const textMap = z.record(z.string(), z.string())

/** CEL; compiled by the expression checks. */
export const cel = z.string()

/** Any JSON value. The CRD leaves it open. */
export const json = z.unknown()

/** A Kubernetes quantity: `2`, `0.5`, `500m`, `1Gi`. */
export const quantity = z.union([z.string(), z.number()]).meta({ 'x-kubernetes-int-or-string': true })

/** Limits and requests, as in core/v1. */
export const resources = z
  .strictObject({
    limits: z.record(z.string(), quantity).describe('Most that the container may use.').optional(),
    requests: z
      .record(z.string(), quantity)
      .describe('What is set aside for the container; decides where it fits.')
      .optional(),
    claims: z.array(z.looseObject({})).describe('Dynamic resource claims, as in core/v1.').optional(),
  })
  .describe('CPU, memory and other resources, as in core/v1: numbers or quantity texts such as 500m and 1Gi.')

/** A key of a Secret in the namespace of the DAG. */
export const secretKey = z.strictObject({
  name: text.describe('Name of the Secret.'),
  key: text.describe('Key in the Secret.').meta({ default: 'secret' }).optional(),
})

/** A Secret's name, or a name and a key. Not expressible in a CRD, so the CRD leaves it open. */
export const secretRef = z.union([text, secretKey])

/** Where a whole number must fit an int32 of the API server. */
export const count = z.int().min(0).max(2_147_483_647)

export const positive = z.int().min(1).max(2_147_483_647)

const optionalKey = {
  name: text.describe('Name of the object.').optional(),
  key: text.describe('Key in the object.'),
  optional: z
    .boolean()
    .describe('Leave the variable out when the object or key does not exist.')
    .meta({ default: false })
    .optional(),
}

/** One environment variable, as in core/v1. */
export const envVar = z.strictObject({
  name: text.describe('Name of the variable.'),
  value: text
    .describe('Text; may hold `${{ … }}`. Dollar signs of other kinds are left as they are.')
    .optional(),
  valueFrom: z
    .strictObject({
      secretKeyRef: z.strictObject(optionalKey).describe('A key of a Secret.').optional(),
      configMapKeyRef: z.strictObject(optionalKey).describe('A key of a ConfigMap.').optional(),
      fieldRef: z
        .strictObject({
          apiVersion: text.describe('API version that the path is written for.').optional(),
          fieldPath: text.describe('Path of the pod field, such as metadata.name.'),
        })
        .describe('A field of the pod; only pods can answer it.')
        .optional(),
      resourceFieldRef: z
        .strictObject({
          containerName: text.describe('Container whose resource is meant.').optional(),
          resource: text.describe('Resource, such as limits.cpu.'),
          divisor: quantity.describe('Unit of the result.').optional(),
        })
        .describe('A resource of the container; only pods can answer it.')
        .optional(),
    })
    .describe('Where the value comes from, instead of `value`. Exactly one source.')
    .optional(),
})

/** A name with a value, or with a reference to a Secret. */
export const namedValue = z.strictObject({
  name: text.describe('Name of the parameter.'),
  value: json.describe('Value of the parameter.').optional(),
  fromSecret: secretRef
    .describe('Secret that holds the value: its name (key `secret`), or `{name, key}`.')
    .optional(),
})

/** A header of an outgoing request. */
export const header = z.strictObject({
  name: text.describe('Name of the header.'),
  value: text.describe('Value of the header.').optional(),
  fromSecret: secretRef
    .describe('Secret that holds the value: its name (key `secret`), or `{name, key}`.')
    .optional(),
})
