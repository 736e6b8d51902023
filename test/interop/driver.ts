/**
 * What the runner needs to know of a driver. A driver is a program in the language of its SDK. It finds in its environment
 * SLS_HOST (the endpoint name, `sls.test`), SLS_PORT (on 127.0.0.1), SLS_AK, SLS_SK, SLS_STS_AK, SLS_STS_SK,
 * SLS_STS_TOKEN and SLS_PREFIX (begin project names with it); prints one JSON line for each case,
 * `{"case":"put-lb-lz4","ok":true}` or `{"case":"split","ok":false,"detail":"…"}`; and exits 0 when it ran to its end,
 * red cases or not. Other output goes to stderr.
 */
import type { Blanks } from './cases.ts'

export interface Command {
  readonly command: string
  readonly args: readonly string[]
  /** The driver's folder of sources when left out. */
  readonly cwd?: string
  /** Added to the environment of the runner. */
  readonly env?: Readonly<Record<string, string>>
}

export interface Place {
  /** The folder of the driver's sources, `test/interop/<folder>`. */
  readonly source: string
  /** A folder of its own for what set-up installs and builds: `.millrace/interop/<folder>`. Emptied before set-up. */
  readonly home: string
  /** Runs a command to its end; its output is shown only when it fails. Rejects on any exit code but 0. */
  run(command: Command): Promise<void>
}

export interface Tool {
  readonly command: string
  /** Arguments that make it print its version and exit 0. */
  readonly args: readonly string[]
  /** What to install, for the message when it is missing. */
  readonly install: string
}

export interface Driver {
  readonly name: string
  /** What the column of the matrix is called: the packages and their versions. */
  readonly title: string
  /** Under test/interop. Drivers with the same folder share one set-up. */
  readonly folder: string
  /** Files of the folder, and folders of it (ending in `/`): set-up runs again when one of them has changed. */
  readonly manifests: readonly string[]
  readonly tools: readonly Tool[]
  setUp(place: Place): Promise<void>
  start(place: Place): Command
  readonly blanks: Blanks
  /** How the SDK's user agent begins, for the recorder. Needed only when the driver sends requests by other means, too. */
  readonly userAgent?: string
}
