import * as z from 'zod'

/** Names that an object schema knows, for "did you mean". */
export function shapeOf(schema: z.ZodType | undefined): readonly string[] {
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : []
}
