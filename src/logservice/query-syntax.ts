/** A filter of logs, taken apart. */
export type Query =
  | { readonly kind: 'all' }
  | { readonly kind: 'field'; readonly key: string; readonly test: FieldTest; readonly value: string }
  | { readonly kind: 'and' | 'or'; readonly left: Query; readonly right: Query }
  | { readonly kind: 'not'; readonly of: Query }

/** `present` takes any value, the empty one too. Case counts in all of them. */
export type FieldTest = 'equals' | 'prefix' | 'present'

export type QueryResult =
  | { readonly ok: true; readonly query: Query }
  | { readonly ok: false; readonly problem: string }

const lengthMax = 4096
const depthMax = 64

interface Token {
  readonly kind: 'word' | 'text' | '(' | ')' | ':' | 'end'
  readonly text: string
}

class QuerySyntaxError extends Error {}

const subset = 'this log service knows only *, key: value, and, or, not and parentheses'

const refuse = (problem: string): never => {
  throw new QuerySyntaxError(`${problem}; ${subset}`)
}

const tokenAt = /\s*(?:([():])|"((?:[^"\\]|\\["\\])*)"|([^\s():"|<>=\\]+))/uy

const tokensOf = (text: string): Token[] => {
  const tokens: Token[] = []
  tokenAt.lastIndex = 0
  const end = text.trimEnd().length
  while (tokenAt.lastIndex < end) {
    const start = tokenAt.lastIndex
    const found = tokenAt.exec(text)
    if (found === null) return refuse(`cannot read the query at '${text.slice(start).trim().slice(0, 20)}'`)
    const [, sign, quoted, word] = found
    if (sign === '(' || sign === ')' || sign === ':') tokens.push({ kind: sign, text: sign })
    else if (quoted !== undefined) tokens.push({ kind: 'text', text: quoted.replace(/\\(["\\])/g, '$1') })
    else tokens.push({ kind: 'word', text: word ?? '' })
  }
  return tokens
}

const isWord = (token: Token, word: string): boolean => token.kind === 'word' && token.text.toLowerCase() === word

const end: Token = { kind: 'end', text: 'the end' }

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens
  }

  whole(): Query {
    const query = this.#or()
    const rest = this.#peek()
    return rest.kind === 'end' ? query : refuse(`'${rest.text}' stands where and, or or the end must`)
  }

  #peek(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? end
  }

  #takeWord(word: string): boolean {
    const taken = isWord(this.#peek(), word) && this.#peek(1).kind !== ':'
    if (taken) this.#at++
    return taken
  }

  #or(): Query {
    let left = this.#and()
    while (this.#takeWord('or')) left = { kind: 'or', left, right: this.#and() }
    return left
  }

  #and(): Query {
    let left = this.#not()
    while (this.#takeWord('and')) left = { kind: 'and', left, right: this.#not() }
    return left
  }

  #not(): Query {
    if (++this.#depth > depthMax) return refuse(`the query is nested more than ${depthMax} deep`)
    const query: Query = this.#takeWord('not') ? { kind: 'not', of: this.#not() } : this.#term()
    this.#depth--
    return query
  }

  #term(): Query {
    const token = this.#peek()
    if (token.kind === '(') {
      this.#at++
      const query = this.#or()
      if (this.#peek().kind !== ')') return refuse(`'${this.#peek().text}' stands where ) must`)
      this.#at++
      return query
    }
    if (token.kind !== 'word' && token.kind !== 'text') return refuse(`'${token.text}' stands where a condition must`)
    if (token.kind === 'word' && token.text === '*' && this.#peek(1).kind !== ':') {
      this.#at++
      return { kind: 'all' }
    }
    return this.#field()
  }

  #field(): Query {
    let key = this.#name()
    if (this.#peek().kind !== ':') return refuse(`'${key}' has no value; search without a key is not known`)
    this.#at++
    // The name of a tag has a colon in it.
    if (key === '__tag__') {
      key = `__tag__:${this.#name()}`
      if (this.#peek().kind !== ':') return refuse(`'${key}' has no value`)
      this.#at++
    }
    const token = this.#peek()
    if (token.kind !== 'word' && token.kind !== 'text') return refuse(`'${token.text}' stands where a value must`)
    this.#at++
    if (token.kind === 'text') return { kind: 'field', key, test: 'equals', value: token.text }
    const star = token.text.indexOf('*')
    if (star === -1) return { kind: 'field', key, test: 'equals', value: token.text }
    if (star < token.text.length - 1) return refuse(`'${token.text}' has a * before its end`)
    return star === 0
      ? { kind: 'field', key, test: 'present', value: '' }
      : { kind: 'field', key, test: 'prefix', value: token.text.slice(0, -1) }
  }

  #name(): string {
    const token = this.#peek()
    if (token.kind !== 'word' && token.kind !== 'text') return refuse(`'${token.text}' stands where a key must`)
    if (token.kind === 'word' && token.text.includes('*')) return refuse(`the key '${token.text}' has a * in it`)
    this.#at++
    return token.text
  }
}

/**
 * Reads the filter of a pull: a subset of the service's own language. `not` binds closer than `and`, and that closer than
 * `or`; the three words are known in any case. A value is the whole value, `value*` its start, `*` any value. Quotes make
 * text of anything.
 */
export const parseQueryText = (text: string): QueryResult => {
  if (text.length > lengthMax) return { ok: false, problem: `the query is longer than ${lengthMax} characters` }
  try {
    return { ok: true, query: new Parser(tokensOf(text)).whole() }
  } catch (error) {
    if (error instanceof QuerySyntaxError) return { ok: false, problem: error.message }
    throw error
  }
}

/** @param fieldOf the value of a field, undefined when the log has none of that name */
export const matchesQuery = (query: Query, fieldOf: (key: string) => string | undefined): boolean => {
  switch (query.kind) {
    case 'all':
      return true
    case 'and':
      return matchesQuery(query.left, fieldOf) && matchesQuery(query.right, fieldOf)
    case 'or':
      return matchesQuery(query.left, fieldOf) || matchesQuery(query.right, fieldOf)
    case 'not':
      return !matchesQuery(query.of, fieldOf)
    case 'field': {
      const value = fieldOf(query.key)
      if (value === undefined) return false
      if (query.test === 'equals') return value === query.value
      return query.test === 'present' || value.startsWith(query.value)
    }
    default: {
      const unknown: never = query
      return unknown
    }
  }
}
