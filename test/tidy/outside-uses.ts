import { type Token, tokensOf } from './source-text.ts'

/** Globals that reach outside or hide time and chance, however they are used. */
const bannedNames = new Set([
  'setTimeout',
  'setInterval',
  'setImmediate',
  'clearTimeout',
  'clearInterval',
  'clearImmediate',
  'queueMicrotask',
  'console',
  'globalThis',
  'global',
  'require',
])

/** Globals that are ordinary words too, so only their members count. */
const bannedOwners = new Set(['process', 'performance', 'crypto', 'navigator'])

const bannedMembers = new Set(['Date.now', 'Math.random', 'AbortSignal.timeout'])

const closingOf = (tokens: readonly Token[], open: number): number => {
  let depth = 0
  for (let index = open; index < tokens.length; index += 1) {
    if (tokens[index]?.kind !== 'punctuation') continue
    if (tokens[index]?.text === '(') depth += 1
    if (tokens[index]?.text === ')') depth -= 1
    if (depth === 0) return index
  }
  return tokens.length
}

const operators = new Set(['=', '(', '[', '?', ':', '+', '-', '=>', '&&', '||', '??', '!', 'await', 'return', 'void'])

/** `name(…) {` and `name(…): Type` declare a method; a call is followed by neither, but inside `a ? name(b) : c`. */
const declaresMethod = (tokens: readonly Token[], at: number): boolean => {
  if (tokens[at + 1]?.text !== '(') return false
  const after = tokens[closingOf(tokens, at + 1) + 1]?.text
  return after === '{' || (after === ':' && !operators.has(tokens[at - 1]?.text ?? ''))
}

const useAt = (tokens: readonly Token[], at: number): string | undefined => {
  const name = tokens[at]?.text ?? ''
  const before = tokens[at - 1]?.text
  const next = tokens[at + 1]?.text
  const member = next === '.' || next === '?.' ? tokens[at + 2]?.text : undefined
  // A member of something else, or a key of an object or of a type.
  if (before === '.' || before === '?.') return undefined
  if (bannedMembers.has(`${name}.${member}`)) return `${name}.${member}`
  if (name === 'Date' && before === 'new') {
    const argless = next !== '(' || tokens[at + 2]?.text === ')'
    return argless ? 'new Date() without an argument' : undefined
  }
  if (name === 'Date' && next === '(') return 'Date()'
  if (bannedOwners.has(name)) return member !== undefined || next === '[' ? `${name}.${member ?? '…'}` : undefined
  const isKey = next === ':' && (before === '{' || before === ',' || before === 'readonly')
  if (isKey || declaresMethod(tokens, at)) return undefined
  if (name === 'fetch' && next === '(') return 'fetch()'
  return bannedNames.has(name) ? name : undefined
}

/** What a file takes from outside without being given it: `12 uses Date.now`, one entry each. */
export const outsideUses = (text: string): string[] => {
  const tokens = tokensOf(text)
  return tokens.flatMap((token, index) => {
    const use = token.kind === 'word' ? useAt(tokens, index) : undefined
    return use === undefined ? [] : [`${token.line} uses ${use}`]
  })
}
