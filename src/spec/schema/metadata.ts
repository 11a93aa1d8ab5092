import * as z from 'zod'
import { API_VERSION } from '../api-version.ts'
import { text, textMap } from './shapes.ts'

/** Metadata as every Kubernetes object has it; what the API server adds is let through. */
export const metadata = z
  .looseObject({
    name: text.describe('Name of the object, unique in its namespace.').optional(),
    generateName: text.describe('Start of a name that the API server completes.').optional(),
    namespace: text.describe('Namespace of the object.').meta({ default: 'default' }).optional(),
    labels: textMap.describe('Labels; those of a DAG are copied to its runs.').optional(),
    annotations: textMap.describe('Notes for people and tools.').optional(),
  })
  .describe('Name, namespace, labels and annotations.')

/** The frame that all three kinds share. */
export function document<Kind extends string, Spec extends z.ZodType>(kind: Kind, spec: Spec) {
  return z.strictObject({
    apiVersion: z.literal(API_VERSION).describe('Group and version of the document.'),
    kind: z.literal(kind).describe('Kind of the document.'),
    metadata,
    spec,
    status: z.looseObject({}).describe('Written by the engine; ignored when read from a file.').optional(),
  })
}
