/** The ports' real adapters: the only folder that touches Node. */
export { abortableSleep } from './abortable-sleep.ts'
export { type CrashPoint, crashAt, crashAtVariable, parseCrashPoint } from './crash-points.ts'
export { type NodeEnvironmentOptions, nodeEnvironment } from './environment.ts'
export { GzipInflater, inflatedPieceBytesMax, type RawInflate } from './gzip-inflater.ts'
export { type JsonLinesLoggerOptions, jsonLinesLogger, type LogLevel } from './json-lines-logger.ts'
export { nodeClock } from './node-clock.ts'
export { nodeCompression } from './node-compression.ts'
export { nodeDigest } from './node-digest.ts'
export { nodeDirectoryLock } from './node-directory-lock.ts'
export {
  type FileOperation,
  type FileOperationHook,
  type FileOperationPhase,
  type NodeFileSystemOptions,
  nodeFileSystem,
} from './node-file-system.ts'
export { type Host, LineWriter, nodeHost } from './node-host.ts'
export { type HttpServer, type HttpServerLimits, type HttpServerOptions, serveHttp } from './node-http-server.ts'
export { nodeRandom } from './node-random.ts'
export { type UndiciTransportOptions, undiciTransport } from './undici-transport.ts'
export { startWatchdog, type Watchdog, type WatchdogOptions } from './watchdog.ts'
