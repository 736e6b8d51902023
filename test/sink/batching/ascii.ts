const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const fromAscii = (text: string): Uint8Array => encoder.encode(text)
export const toAscii = (bytes: Uint8Array): string => decoder.decode(bytes)
