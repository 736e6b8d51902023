/** Where a service is, and how its host is written. */
export interface Endpoint {
  readonly scheme: 'http' | 'https'
  /** Lower case; IPv6 in brackets. */
  readonly host: string
  /** With the colon; empty for the usual port of the scheme. */
  readonly port: string
}

const shape = /^(?:(https?):\/\/)?(\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?)(?::(\d{1,5}))?\/?$/i

/** `cn-hangzhou.log.aliyuncs.com`, `https://…`, `http://127.0.0.1:8080`; without a scheme it is https. Else undefined. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const match = shape.exec(text)
  if (match === null) return undefined
  const scheme = match[1]?.toLowerCase() === 'http' ? 'http' : 'https'
  const port = match[3] === undefined ? undefined : Number(match[3])
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined
  const usual = port === undefined || port === (scheme === 'http' ? 80 : 443)
  return { scheme, host: (match[2] ?? '').toLowerCase(), port: usual ? '' : `:${port}` }
}

const isIpv4 = (host: string): boolean => /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)

/** Whether what is sent stays on this machine. */
export const isLoopback = ({ host }: Endpoint): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || (isIpv4(host) && host.startsWith('127.'))

/**
 * The `host` header: the project is its first label (SLS protocol paper, section 1.1). An IPv6 address takes no label, so
 * `localhost` stands for it.
 */
export const hostHeader = ({ host, port }: Endpoint, project: string | undefined): string => {
  if (project === undefined) return `${host}${port}`
  return `${project}.${host.startsWith('[') ? 'localhost' : host}${port}`
}

/** What to connect to: an address or `localhost` as it is, any other service under the name of the project. */
export const originOf = (endpoint: Endpoint, project: string | undefined): string => {
  const { scheme, host, port } = endpoint
  const direct = host === 'localhost' || host.startsWith('[') || isIpv4(host)
  return `${scheme}://${direct ? `${host}${port}` : hostHeader(endpoint, project)}`
}
