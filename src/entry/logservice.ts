import {
  booleanField,
  checkedField,
  checkOptions,
  integerField,
  type Logger,
  nestedField,
  type OptionFieldsOf,
  OptionsError,
  optional,
  required,
  Secret,
  silentLogger,
  textField,
  textListField,
} from '../core/index.ts'
import {
  type FaultRule,
  type LogServiceOptions,
  openLogService,
  openStorage,
  type ServiceLimits,
  type ShardQuota,
} from '../logservice/index.ts'
import { type HttpServer, nodeDirectoryLock, nodeEnvironment, serveHttp } from '../platform/index.ts'

export type { FaultEffect, FaultRule, ServiceLimits, ShardQuota } from '../logservice/index.ts'

export interface LogServerOptions extends Omit<LogServiceOptions, 'auth'> {
  /** Where everything is kept. Made when missing; one process at a time. A local file system. */
  readonly directory: string
  /**
   * Access keys with their secrets. `'off'` takes every request and is refused on an address that others can reach.
   * @default 'off'
   */
  readonly auth?: 'off' | Readonly<Record<string, string>> | undefined
  /** @default both loopback addresses, 127.0.0.1 and, where there is one, ::1 */
  readonly host?: string | undefined
  /** 0 takes any that is free. @default 0 */
  readonly port?: number | undefined
  /** Must be true for a host that is no loopback address. @default false */
  readonly allowRemote?: boolean | undefined
  /** Say nothing unless given. */
  readonly log?: Logger | undefined
  /** Memory for blocks lately written and read. @default 67108864 */
  readonly cacheBytes?: number | undefined
  /** A segment file this long is ended and the next one begun. @default 67108864 */
  readonly segmentBytes?: number | undefined
}

export interface LogServer {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string
  readonly port: number
  /** Makes a fault; gives back what unmakes it. */
  addFault(rule: FaultRule): () => void
  /** Takes no more requests, finishes those on their way, and gives the directory back. May be called twice. */
  close(): Promise<void>
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const perSecond = optional(integerField(1, 2 ** 40))
const quotaFields: OptionFieldsOf<ShardQuota> = {
  writeBytesPerSecond: perSecond,
  writesPerSecond: perSecond,
  readBytesPerSecond: perSecond,
  readsPerSecond: perSecond,
}

const limit = optional(integerField(1, 2 ** 31))
const limitFields: OptionFieldsOf<Partial<ServiceLimits>> = {
  projects: limit,
  logstoresPerProject: limit,
  shards: limit,
  shardsAtOnce: limit,
  groupsPerLogstore: limit,
  consumersPerGroup: limit,
  controlBytes: limit,
}

const fields: OptionFieldsOf<LogServerOptions> = {
  directory: required(textField('the path of a directory')),
  auth: optional(
    checkedField("'off' or an object of access keys to their secrets", (value) => value === 'off' || isKeys(value)),
  ),
  host: optional(textField('an address of this machine')),
  port: optional(integerField(0, 65_535)),
  allowRemote: optional(booleanField()),
  log: optional(checkedField('a logger with debug, info, warn, error and child', isObject)),
  cacheBytes: optional(integerField(0, 2 ** 36)),
  segmentBytes: optional(integerField(1024 * 1024, 1024 ** 3)),
  skewMsMax: optional(integerField(1000, 86_400_000)),
  endpoints: optional(textListField('a list of host names')),
  putBytesMax: optional(integerField(1024, 60 * 1024 * 1024)),
  pullBytesMax: optional(integerField(1024, 256 * 1024 * 1024)),
  shardQuota: optional(nestedField(quotaFields)),
  retentionMs: optional(integerField(1, Number.MAX_SAFE_INTEGER)),
  shardBytesMax: optional(integerField(1, Number.MAX_SAFE_INTEGER)),
  sweepIntervalMs: optional(integerField(100, 2 ** 31 - 1)),
  projects: optional(textListField('a list of project names')),
  faultRoute: optional(booleanField()),
  limits: optional(nestedField(limitFields)),
}

const isKeys = (value: unknown): boolean =>
  isObject(value) &&
  Object.entries(value).length > 0 &&
  Object.entries(value).every(
    ([key, secret]) => /^[^:\s]{1,256}$/.test(key) && typeof secret === 'string' && secret !== '',
  )

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)

const checkExposure = ({ host, auth, allowRemote }: LogServerOptions): void => {
  if (host === undefined || isLoopback(host)) return
  if (auth !== undefined && auth !== 'off' && allowRemote === true) return
  throw new OptionsError('OPTIONS_INVALID', {
    message: `logService: others can reach the address ${host}`,
    place: { option: 'host' },
    fix: 'leave host out, or give access keys in auth and set allowRemote: true',
  })
}

/**
 * Starts an SLS-compatible log service in this process: the official SDKs, and this package's own client, talk to it as
 * to the real one. What it answered with success is on the disk.
 * @throws OptionsError `OPTIONS_INVALID`; StorageError when the directory cannot be used, or another process has it;
 * ListenError `LISTEN_FAILED` when the address cannot be had.
 */
export const logService = async (options: LogServerOptions): Promise<LogServer> => {
  checkOptions<LogServerOptions>('logService', fields, options)
  checkExposure(options)
  const {
    directory,
    auth = 'off',
    host,
    port,
    allowRemote: _,
    log = silentLogger,
    cacheBytes,
    segmentBytes,
    ...rest
  } = options
  const { clock, random, fs, digest, compression } = nodeEnvironment({ log })
  const service = await openLogService(
    {
      ...rest,
      auth: auth === 'off' ? 'off' : new Map(Object.entries(auth).map(([key, text]) => [key, new Secret(text)])),
    },
    {
      clock,
      random,
      digest,
      compression,
      log,
      openStorage: (snapshot) =>
        openStorage({
          directory,
          fs,
          clock,
          random,
          digest,
          log,
          lock: nodeDirectoryLock,
          snapshot,
          cacheBytes,
          segmentBytes,
        }),
    },
  )
  const listen = (address: string, wanted: number | undefined): Promise<HttpServer> =>
    serveHttp(service.handle, {
      host: address,
      port: wanted,
      limits: { bodyBytesMax: service.bodyBytesMax },
      onTooLarge: () => service.refuse('too-large'),
      onFailure: () => service.refuse('busy'),
    })
  const servers: HttpServer[] = []
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.close()))
    await service.close()
  }
  let first: HttpServer
  try {
    first = await listen(host ?? '127.0.0.1', port)
  } catch (error) {
    await close()
    throw error
  }
  servers.push(first)
  if (host === undefined) {
    // A machine without IPv6, or with another program there, is served at the other address alone.
    const second = await listen('::1', first.port).catch(() => undefined)
    if (second !== undefined) servers.push(second)
  }
  return { url: first.origin, port: first.port, addFault: (rule) => service.addFault(rule), close }
}
