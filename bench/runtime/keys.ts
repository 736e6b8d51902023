/** So many different texts of 16 characters, each in one piece as a parser would give them. */
export const keyTexts = (count: number): readonly string[] =>
  JSON.parse(JSON.stringify(Array.from({ length: count }, (_, index) => `user-${String(index).padStart(11, '0')}`)))

/** A number below `below`, evenly spread and the same for the same index: murmur3's finish. */
export const scattered = (index: number, below: number): number => {
  let h = index ^ (index >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return ((h ^ (h >>> 16)) >>> 0) % below
}
