/** The parts of a request target, as they stand on the request line. */
export interface RequestTarget {
  /** Host and port of an absolute-form target, as proxies receive it. */
  readonly authority: string | undefined
  /** Never empty, still percent-escaped. */
  readonly path: string
  /** Without the question mark; empty when there is none. */
  readonly query: string
}

/** Takes a target apart: origin form, or absolute form as clients send it through a proxy. */
export const parseTarget = (target: string): RequestTarget => {
  const absolute = /^https?:\/\/([^/?#]*)/i.exec(target)
  const rest = absolute === null ? target : target.slice(absolute[0].length)
  const mark = rest.indexOf('?')
  const path = mark === -1 ? rest : rest.slice(0, mark)
  return {
    authority: absolute?.[1],
    path: path === '' ? '/' : path,
    query: mark === -1 ? '' : rest.slice(mark + 1),
  }
}

export type QueryPair = readonly [name: string, value: string]

/** The parameters of a query in their order, decoded (`+` is a space), or undefined when an escape is malformed. */
export const parseQuery = (query: string): readonly QueryPair[] | undefined => {
  const pairs: QueryPair[] = []
  try {
    for (const part of query.split('&')) {
      if (part === '') continue
      const equals = part.indexOf('=')
      const name = equals === -1 ? part : part.slice(0, equals)
      pairs.push([decodePart(name), equals === -1 ? '' : decodePart(part.slice(equals + 1))])
    }
  } catch {
    return undefined
  }
  return pairs
}

/** Halves of a surrogate pair that stand alone: no text, and nothing that UTF-8 could say. */
const loneSurrogates = /\p{Surrogate}/gu

/**
 * Text percent-encoded per RFC 3986: everything but letters, digits, `-`, `_`, `.` and `~`. What is no text becomes U+FFFD,
 * as everywhere when text is encoded.
 */
export const percentEncode = (text: string): string =>
  encodeURIComponent(text.replace(loneSurrogates, '\ufffd')).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )

const decodePart = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
