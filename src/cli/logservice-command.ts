import { type Command, InvalidArgumentError, Option } from 'commander'
import { OptionsError, tryParseByteSize } from '../core/index.ts'
import { type LogServer, type LogServerOptions, logService } from '../entry/logservice.ts'
import { type SalvageReport, salvage } from '../logservice/index.ts'
import { type Host, jsonLinesLogger, nodeClock, nodeDirectoryLock, nodeEnvironment } from '../platform/index.ts'

/** Access key and secret, so that they need not stand in the list of processes. */
export const authVariable = 'MILLRACE_LOGSERVICE_AUTH'

export interface CliPorts {
  readonly host: Host
  readonly environment: Readonly<Record<string, string | undefined>>
}

interface LogServiceFlags {
  readonly port: number
  readonly data: string
  readonly auth?: string
  readonly host?: string
  readonly allowRemote?: boolean
  readonly endpoint: readonly string[]
  readonly project: readonly string[]
  readonly retention?: number
  readonly segmentSize?: number
  readonly json?: boolean
}

const integer =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be an integer from ${least} to ${most}.`)
    return value
  }

const byteSize = (text: string): number => {
  const bytes = tryParseByteSize(text)
  if (bytes === undefined) throw new InvalidArgumentError("It must be a size, such as '64MiB'.")
  return bytes
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value]

/** @throws OptionsError when the text is neither `off` nor a key and its secret. */
export const parseAuth = (text: string): NonNullable<LogServerOptions['auth']> => {
  if (text === 'off') return 'off'
  const colon = text.indexOf(':')
  const [key, secret] = [text.slice(0, colon), text.slice(colon + 1)]
  // The text is not shown: it may be a secret.
  if (colon < 1 || secret === '')
    throw new OptionsError('OPTIONS_INVALID', {
      message: `--auth must be off, or an access key and its secret with a colon between them`,
      fix: `write --auth off, or set ${authVariable}=<access key>:<secret>`,
    })
  return { [key]: secret }
}

const optionsOf = (flags: LogServiceFlags, { host, environment }: CliPorts): LogServerOptions => ({
  directory: flags.data,
  port: flags.port,
  auth: parseAuth(flags.auth ?? environment[authVariable] ?? 'off'),
  host: flags.host,
  allowRemote: flags.allowRemote,
  endpoints: flags.endpoint,
  projects: flags.project,
  retentionMs: flags.retention === undefined ? undefined : flags.retention * 1000,
  segmentBytes: flags.segmentSize,
  log: jsonLinesLogger({ write: (line) => host.err(line), wallMs: () => nodeClock.wallMs() }),
})

/** Resolves at the first SIGTERM or SIGINT. A second one ends the process at once. */
const signalled = (host: Host): Promise<void> =>
  new Promise((resolve) => {
    let heard = 0
    const hear = (): void => {
      if (++heard > 1) host.exit(1)
      resolve()
    }
    host.onSignal('SIGTERM', hear)
    host.onSignal('SIGINT', hear)
  })

const readyLine = (server: LogServer, { json, data }: LogServiceFlags, { host }: CliPorts): string =>
  json === true
    ? JSON.stringify({ event: 'ready', url: server.url, port: server.port, pid: host.pid, data })
    : `millrace log service at ${server.url}, data in ${data}`

/** `millrace logservice`: serves until it is told to stop. */
export const addLogServiceCommand = (program: Command, ports: CliPorts): void => {
  const command = program
    .command('logservice')
    .description('an SLS-compatible log service on this machine, kept in one directory')
    .addOption(new Option('--port <n>', '0 takes any that is free').default(0).argParser(integer(0, 65_535)))
    .option('--data <dir>', 'where everything is kept; made when missing; must be given')
    .option('--auth <AK:SK|off>', `access key and secret; also by the variable ${authVariable}; default off`)
    .option('--host <address>', 'default: both loopback addresses')
    .option('--allow-remote', 'needed for an address that others can reach; so is --auth')
    .option('--endpoint <name>', 'a host name that is no project, such as sls.test; may be repeated', collect, [])
    .option('--project <name>', 'make this project if it does not exist; may be repeated', collect, [])
    .option('--retention <seconds>', 'in place of the ttl of every logstore', integer(1, 2 ** 31))
    .option('--segment-size <size>', 'a segment file this long is ended; default 64MiB', byteSize)
    .option('--json', 'print the line that says it is ready as JSON')
    // Not required by commander's own means: it would ask `salvage` for it too.
    .enablePositionalOptions()
    .action(async (given: Omit<LogServiceFlags, 'data'> & { readonly data?: string }) => {
      if (given.data === undefined) return command.error("error: required option '--data <dir>' not specified")
      const flags = { ...given, data: given.data }
      const stopped = signalled(ports.host)
      const server = await logService(optionsOf(flags, ports))
      ports.host.out(readyLine(server, flags, ports))
      await stopped
      await server.close()
    })
  command
    .command('salvage')
    .description('copies what is good in a damaged directory into a new one')
    .requiredOption('--data <dir>', 'the damaged directory; nothing in it is changed')
    .requiredOption('--to <dir>', 'the new directory; made when missing, and must be empty')
    .option('--json', 'print the report as JSON')
    .action(async ({ data, to, json }: { readonly data: string; readonly to: string; readonly json?: boolean }) => {
      const { clock, random, fs, digest, log } = nodeEnvironment()
      const report = await salvage({ from: data, to, fs, clock, random, digest, log, lock: nodeDirectoryLock })
      ports.host.out(json === true ? JSON.stringify(report) : salvageText(report))
    })
}

const salvageText = ({ groups, facts, holes, lost, factsLost, snapshotLost }: SalvageReport): string =>
  [
    `copied ${groups} groups and ${facts} changes of definitions`,
    ...lost.map(({ file, from, to }) => `lost: ${file}, bytes ${from} to ${to}`),
    ...holes.map(({ stream, from, to }) => `missing: groups ${from} to ${to - 1} of stream ${stream}`),
    ...(factsLost > 0 ? [`lost: ${factsLost} changes of definitions`] : []),
    ...(snapshotLost ? ['lost: the last snapshot of the definitions'] : []),
  ].join('\n')
