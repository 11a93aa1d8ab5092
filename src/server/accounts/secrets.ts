import { createHash, randomBytes } from 'node:crypto'

const SECRET_BYTES = 32
/** What a token begins with, so that one that was published by mistake is recognised. */
const TOKEN_BEGIN = 'kontroler_'
const TOKEN = /^kontroler_[A-Za-z0-9_-]{43}$/
const SECRET = /^[A-Za-z0-9_-]{43}$/

/** 256 bits of chance: session ids and one-time codes. */
export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url')

export const newToken = (): string => TOKEN_BEGIN + newSecret()

/** Whether it is worth to look for it. */
export const isToken = (text: string): boolean => TOKEN.test(text)
export const isSecret = (text: string): boolean => SECRET.test(text)

/** What is kept of a secret: from that it cannot be found, as it is all chance. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
