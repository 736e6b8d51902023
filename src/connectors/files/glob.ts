/**
 * File name patterns: `*` and `?` within a name, `[a-z]` and `[!a-z]`, `**` for any depth of directories, `{a,b}` for
 * alternatives, `\` before a character that is meant as it is. A wildcard does not match a leading dot.
 */
export interface Glob {
  /** The pattern's parts between slashes, one list per alternative. */
  readonly alternatives: readonly (readonly GlobPart[])[]
}

export type GlobPart =
  /** Exactly this name. */
  | { readonly kind: 'name'; readonly name: string }
  /** `hidden`: it may match names that start with a dot. */
  | { readonly kind: 'match'; readonly matches: (name: string) => boolean; readonly hidden: boolean }
  /** `**`: any number of directories. */
  | { readonly kind: 'any-depth' }

/** True when the text means anything but itself. */
export const isGlob = (pattern: string): boolean => /[*?[\]{}\\]/.test(pattern)

const alternativesMax = 1024

/** @throws RangeError when the braces multiply to more than 1024 alternatives. */
export const parseGlob = (pattern: string): Glob => ({
  alternatives: expandBraces(pattern).map((alternative) => {
    const parts = alternative.split('/').filter((part, index) => part !== '' || index === 0)
    const parsed = parts.map(parsePart)
    // `logs/**` means the files in it, at any depth.
    return parts.at(-1) === '**' ? [...parsed, parsePart('*')] : parsed
  }),
})

/** Whether a path matches; a pattern without a slash is about the last part of the path. */
export const globMatches = (glob: Glob, path: string): boolean => {
  const names = path.split('/').filter((part, index) => part !== '' || index === 0)
  return glob.alternatives.some((parts) =>
    parts.length === 1 ? matchParts(parts, 0, names, names.length - 1) : matchParts(parts, 0, names, 0),
  )
}

const matchParts = (parts: readonly GlobPart[], at: number, names: readonly string[], from: number): boolean => {
  const part = parts[at]
  if (part === undefined) return from === names.length
  if (part.kind === 'any-depth') {
    if (matchParts(parts, at + 1, names, from)) return true
    return from < names.length && matchParts(parts, at, names, from + 1)
  }
  const name = names[from]
  if (name === undefined) return false
  return (part.kind === 'name' ? part.name === name : part.matches(name)) && matchParts(parts, at + 1, names, from + 1)
}

const parsePart = (part: string): GlobPart => {
  if (part === '**') return { kind: 'any-depth' }
  if (!/[*?[]/.test(part)) return { kind: 'name', name: part.replace(/\\(.)/gs, '$1') }
  const expression = new RegExp(`^${partExpression(part)}$`, 'su')
  const hidden = part.startsWith('.') || part.startsWith('\\.')
  return { kind: 'match', matches: (name) => (hidden || !name.startsWith('.')) && expression.test(name), hidden }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/gu, '\\$&')

const partExpression = (part: string): string => {
  let expression = ''
  let at = 0
  while (at < part.length) {
    const char = String.fromCodePoint(part.codePointAt(at) ?? 0)
    at += char.length
    if (char === '*') expression += '[^/]*'
    else if (char === '?') expression += '[^/]'
    else if (char === '\\' && at < part.length) {
      const next = String.fromCodePoint(part.codePointAt(at) ?? 0)
      expression += escaped(next)
      at += next.length
    } else if (char === '[') {
      const set = readSet(part, at)
      expression += set?.expression ?? '\\['
      at = set?.end ?? at
    } else expression += escaped(char)
  }
  return expression
}

/** A set that is never closed is a bracket. */
const readSet = (part: string, from: number): { readonly expression: string; readonly end: number } | undefined => {
  const negated = part[from] === '!' || part[from] === '^'
  const start = negated ? from + 1 : from
  // A bracket in first place is a member.
  const end = part.indexOf(']', start + 1)
  if (end < 0) return undefined
  const members = part.slice(start, end).replace(/[\\\][^]/g, '\\$&')
  try {
    new RegExp(`[${members}]`, 'u')
  } catch {
    return { expression: '(?!)', end: end + 1 }
  }
  return { expression: `[${negated ? '^/' : ''}${members}]`, end: end + 1 }
}

/** `a{b,c{d,e}}` → `ab`, `acd`, `ace`. Braces without a comma, and braces that do not close, are characters. */
const expandBraces = (pattern: string): string[] => {
  for (let open = nextOf(pattern, '{', 0); open >= 0; open = nextOf(pattern, '{', open + 1)) {
    const group = readBraces(pattern, open)
    if (group === undefined || group.choices.length < 2) continue
    const before = pattern.slice(0, open)
    const after = pattern.slice(group.end)
    const expanded = group.choices.flatMap((choice) => expandBraces(before + choice + after))
    if (expanded.length > alternativesMax) throw new RangeError(`more than ${alternativesMax} alternatives`)
    return [...new Set(expanded)]
  }
  return [pattern]
}

const nextOf = (pattern: string, char: string, from: number): number => {
  for (let at = from; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === char) return at
  }
  return -1
}

const readBraces = (
  pattern: string,
  open: number,
): { readonly choices: string[]; readonly end: number } | undefined => {
  const choices: string[] = []
  let depth = 0
  let start = open + 1
  for (let at = open; at < pattern.length; at++) {
    const char = pattern[at]
    if (char === '\\') at++
    else if (char === '{') depth++
    else if (char === ',' && depth === 1) {
      choices.push(pattern.slice(start, at))
      start = at + 1
    } else if (char === '}' && --depth === 0) {
      choices.push(pattern.slice(start, at))
      return { choices, end: at + 1 }
    }
  }
  return undefined
}
