import { OptionsError, Secret } from '../core/index.ts'

/** What the environment says about where to read and where to send. Each part can be spread into options. */
export interface SlsEnvironment {
  /** `SLS_ENDPOINT`, `SLS_PROJECT`, `SLS_AK_ID` and `SLS_AK_KEY`. */
  readonly connection: SlsEnvironmentConnection
  /** `SLS_LOGSTORE`. */
  readonly logstore: string
  /** `SLS_CG`. */
  readonly consumerGroup: string | undefined
  /** `SLS_ENDPOINT_TO` and `SLS_PROJECT_TO`, which are those of the source when they are not set. */
  readonly target: SlsEnvironmentConnection
  /** `SLS_LOGSTORE_TO`, then `SLS_LOGSTORE_TO1`, `SLS_LOGSTORE_TO2` and so on, in the order of their numbers. */
  readonly targetLogstores: readonly string[]
}

export interface SlsEnvironmentConnection {
  readonly endpoint: string
  readonly project: string
  readonly credentials: { readonly accessKeyId: string; readonly accessKeySecret: Secret }
}

/** Variables that every program needs. */
const needed = ['SLS_ENDPOINT', 'SLS_AK_ID', 'SLS_AK_KEY', 'SLS_PROJECT', 'SLS_LOGSTORE'] as const

const numberedTarget = /^SLS_LOGSTORE_TO([0-9]{1,3})$/

/**
 * Reads the variables that programs for the official consumer library are started with. An empty variable counts as
 * missing.
 *
 * @param options `require`: further variables this program cannot do without, such as `SLS_CG`; `env`: other variables than
 * those of the process
 * @throws OptionsError `OPTIONS_INVALID` naming every missing variable at once, and no value
 */
export const fromEnv = (
  options: {
    readonly require?: readonly string[] | undefined
    readonly env?: Readonly<Record<string, string | undefined>> | undefined
  } = {},
): SlsEnvironment => {
  const { env = process.env, require: further = [] } = options
  const read = (name: string): string | undefined => {
    const value = env[name]?.trim()
    return value === '' ? undefined : value
  }
  const missing = [...new Set([...needed, ...further])].filter((name) => read(name) === undefined)
  if (missing.length > 0) {
    throw new OptionsError('OPTIONS_INVALID', {
      message: `fromEnv: ${missing.length === 1 ? 'a variable is' : `${missing.length} variables are`} missing: ${missing.join(', ')}`,
      fix: `set ${missing.length === 1 ? 'it' : 'them'} before the program starts: ${missing.map((name) => `export ${name}=…`).join('; ')}`,
    })
  }
  const [endpoint = '', accessKeyId = '', secret = '', project = '', logstore = ''] = needed.map(read)
  const credentials = { accessKeyId, accessKeySecret: new Secret(secret) }
  const numbered = Object.keys(env)
    .flatMap((name) => {
      const number = numberedTarget.exec(name)?.[1]
      return number === undefined ? [] : [{ name, number: Number(number) }]
    })
    .sort((a, b) => a.number - b.number)
  const targetLogstores = ['SLS_LOGSTORE_TO', ...numbered.map(({ name }) => name)].flatMap((name) => read(name) ?? [])
  return {
    connection: { endpoint, project, credentials },
    logstore,
    consumerGroup: read('SLS_CG'),
    target: {
      endpoint: read('SLS_ENDPOINT_TO') ?? endpoint,
      project: read('SLS_PROJECT_TO') ?? project,
      credentials,
    },
    targetLogstores,
  }
}
