import type { CheckpointPart } from './checkpoint-store.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// Control characters other than tab and line ends, and those that change the direction of the text around them, would
// make a manifest show something else than it holds.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufeff]/

/** Bytes as they stand in a manifest: as text when a person could read it, else in base64. Exact either way. */
export const inlineBytes = (bytes: Uint8Array): { readonly text: string } | { readonly base64: string } => {
  const text = printableText(bytes)
  return text === undefined ? { base64: toBase64(bytes) } : { text }
}

/**
 * The bytes of a part that stands in the manifest; undefined for one in a file.
 * @throws when the base64 is not valid; the caller names the place.
 */
export const bytesOfInline = (part: Pick<CheckpointPart, 'text' | 'base64'>): Uint8Array | undefined => {
  if (part.text !== undefined) return encoder.encode(part.text)
  return part.base64 === undefined ? undefined : fromBase64(part.base64)
}

const printableText = (bytes: Uint8Array): string | undefined => {
  try {
    const text = decoder.decode(bytes)
    return unprintable.test(text) ? undefined : text
  } catch {
    return undefined
  }
}

const toBase64 = (bytes: Uint8Array): string => {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

const fromBase64 = (base64: string): Uint8Array => {
  const binary = atob(base64)
  // `atob` forgives missing padding and blanks; a manifest is exact.
  if (btoa(binary) !== base64) throw new Error('it is not exact base64')
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}
