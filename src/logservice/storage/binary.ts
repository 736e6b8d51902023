/** Integers of up to 53 bits in eight bytes, little-endian. */
export const writeInteger = (view: DataView, at: number, value: number): void => {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}

/** What `writeInteger` wrote; NaN when it is larger than any integer that can be counted with. */
export const readInteger = (view: DataView, at: number): number => {
  const value = view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  return Number.isSafeInteger(value) ? value : Number.NaN
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
