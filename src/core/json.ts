/** Plain data: what JSON can say, and nothing else. Parameters, outputs of a fan-out and events are made of it. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
