/**
 * A list of serialised items as one piece of state. Items that are text without line breaks are kept as lines after a line
 * `T`, so that a person can read and edit them in a manifest; others follow a byte `B`, each with its length in front.
 */
const newline = 10
const utf8 = new TextDecoder('utf-8', { fatal: true })

const isLine = (item: Uint8Array): boolean => {
  if (item.length === 0 || item.includes(newline) || item.includes(13)) return false
  try {
    utf8.decode(item)
    return true
  } catch {
    return false
  }
}

export const encodeList = (items: readonly Uint8Array[]): Uint8Array => {
  const asText = items.every(isLine)
  const perItem = asText ? 1 : 4
  const bytes = new Uint8Array((asText ? 2 : 1) + items.reduce((sum, item) => sum + perItem + item.length, 0))
  const view = new DataView(bytes.buffer)
  bytes[0] = asText ? 0x54 : 0x42
  let at = 1
  if (asText) bytes[at++] = newline
  for (const item of items) {
    if (!asText) {
      view.setUint32(at, item.length)
      at += 4
    }
    bytes.set(item, at)
    at += item.length
    if (asText) bytes[at++] = newline
  }
  return bytes
}

/** @throws Error when the bytes are not a list. */
export const decodeList = (bytes: Uint8Array): Uint8Array[] => {
  const items: Uint8Array[] = []
  if (bytes[0] === 0x54 && bytes[1] === newline) {
    for (let start = 2; start < bytes.length; ) {
      const end = bytes.indexOf(newline, start)
      if (end < 0) throw new Error('the last line of a list is cut short')
      items.push(bytes.subarray(start, end))
      start = end + 1
    }
    return items
  }
  if (bytes[0] !== 0x42) throw new Error('not a list of items')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let start = 1; start < bytes.length; ) {
    if (start + 4 > bytes.length) throw new Error('a list is cut short')
    const end = start + 4 + view.getUint32(start)
    if (end > bytes.length) throw new Error('a list is cut short')
    items.push(bytes.subarray(start + 4, end))
    start = end
  }
  return items
}
