/**
 * Just enough reading of TypeScript to judge a file by its words: comments are dropped, strings and regular
 * expressions are single tokens, and what stands inside `${}` of a template is code again.
 */
export interface Token {
  readonly kind: 'word' | 'string' | 'template' | 'regex' | 'number' | 'punctuation'
  /** The content of a string, or of a piece of a template, without its quotes; the written text of anything else. */
  readonly text: string
  readonly line: number
}

const pairs = ['=>', '?.', '&&', '||', '??']
const wordsBeforeRegex = new Set(['return', 'typeof', 'case', 'in', 'of', 'do', 'else', 'void', 'delete', 'await'])

/** A `/` starts a regular expression unless it divides what stands before it. */
const dividesAfter = (token: Token | undefined): boolean => {
  if (token === undefined) return false
  if (token.kind === 'punctuation') return [')', ']', '}'].includes(token.text)
  return token.kind !== 'word' || !wordsBeforeRegex.has(token.text)
}

export const tokensOf = (text: string): Token[] => {
  const tokens: Token[] = []
  /** One entry per open `${`: how many braces are open inside it. */
  const templates: number[] = []
  let at = 0
  let line = 1

  const add = (kind: Token['kind'], value: string): void => {
    tokens.push({ kind, text: value, line })
  }
  const skip = (length: number): void => {
    line += text.slice(at, at + length).split('\n').length - 1
    at += length
  }
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  /** From after a backtick or after the `}` of `${}`, to the closing backtick or the next `${`. */
  const template = (): void => {
    const chunk = match(/(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y) ?? ''
    add('template', chunk)
    skip(chunk.length)
    if (text[at] === '`') skip(1)
    else if (text.startsWith('${', at)) {
      skip(2)
      templates.push(0)
    }
  }

  while (at < text.length) {
    const character = text[at] ?? ''
    const space = match(/\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|^#![^\n]*/y)
    const word = space === undefined ? match(/#?[\p{L}_$][\p{L}\p{N}_$]*/uy) : undefined
    const number = space === undefined ? match(/\d[\w.]*/y) : undefined
    if (space !== undefined) skip(space.length)
    else if (word !== undefined) {
      add('word', word)
      skip(word.length)
    } else if (number !== undefined) {
      add('number', number)
      skip(number.length)
    } else if (character === '`') {
      skip(1)
      template()
    } else if (character === "'" || character === '"') {
      const quoted = match(/'(?:[^'\\\n]|\\[\s\S])*'|"(?:[^"\\\n]|\\[\s\S])*"/y) ?? character
      add('string', quoted.slice(1, -1))
      skip(quoted.length)
    } else if (character === '/' && !dividesAfter(tokens.at(-1))) {
      const regex = match(/\/(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y) ?? character
      add('regex', regex)
      skip(regex.length)
    } else if (character === '}' && templates.at(-1) === 0) {
      templates.pop()
      skip(1)
      template()
    } else {
      const depth = templates.length - 1
      if (depth >= 0 && character === '{') templates[depth] = (templates[depth] ?? 0) + 1
      if (depth >= 0 && character === '}') templates[depth] = (templates[depth] ?? 0) - 1
      const mark = pairs.find((pair) => text.startsWith(pair, at)) ?? character
      add('punctuation', mark)
      skip(mark.length)
    }
  }
  return tokens
}

export interface Import {
  readonly specifier: string
  readonly line: number
}

/** Everything a file imports or re-exports, as values, as types, or at run time by a literal name. */
export const importsOf = (text: string): Import[] => {
  const tokens = tokensOf(text)
  return tokens.flatMap((token, index) => {
    const before = tokens[index - 1]
    const earlier = tokens[index - 2]
    const isStatic = token.kind === 'string' && before?.kind === 'word' && ['from', 'import'].includes(before.text)
    const isDynamic =
      (token.kind === 'string' || token.kind === 'template') &&
      before?.text === '(' &&
      earlier?.kind === 'word' &&
      ['import', 'require'].includes(earlier.text)
    return isStatic || isDynamic ? [{ specifier: token.text, line: token.line }] : []
  })
}
