const min = -(2n ** 63n)
const max = 2n ** 63n - 1n
/** The longest int64, `-9223372036854775808`, takes 28 characters of base64. */
const shape = /^([A-Za-z0-9+/]{2,28})(={0,2})\s{0,8}$/
const integer = /^(?:0|-?[1-9][0-9]{0,18})$/

/** The text of a position: base64 of the decimal int64, padded (SLS protocol paper, section 5.1). */
export const encodeCursor = (position: bigint): string => btoa(BigInt.asIntN(64, position).toString())

/**
 * The position in a cursor, or undefined when the text is none. Padding may be missing and white space may follow, as
 * official clients send it; anything but the one decimal text of an int64 is refused.
 */
export const decodeCursor = (text: string): bigint | undefined => {
  const [, digits = '', padding = ''] = shape.exec(text) ?? []
  if (digits === '' || digits.length % 4 === 1) return undefined
  if (padding !== '' && (digits.length + padding.length) % 4 !== 0) return undefined
  const decimal = atob(digits)
  if (!integer.test(decimal)) return undefined
  const position = BigInt(decimal)
  return position >= min && position <= max ? position : undefined
}
