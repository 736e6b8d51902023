/** What names have, as the end of a sentence (SLS protocol paper, section 1.1). */
export const projectNameRule = "1 to 128 letters, digits, '-' and '_', beginning and ending with a letter or digit"
export const logstoreNameRule = "2 to 80 of a-z, 0-9, '-' and '_', beginning and ending with a letter or digit"

/** A hash key as it is used on the wire: exactly 32 hex digits, in either case. */
export const isHashKey = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-fA-F]{32}$/.test(value)
