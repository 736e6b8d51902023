import { logService } from 'millrace/logservice'
import { type LogstoreInit, type OpenSlsClient, SlsError, slsClient } from 'millrace/sls'

/** How to reach a project of the service: can be spread into the options of sources, sinks and clients. */
export interface Connection {
  readonly endpoint: string
  readonly project: string
  readonly credentials: { readonly accessKeyId: string; readonly accessKeySecret: string }
}

/** A log service of this process, with a client. */
export interface LocalService extends OpenSlsClient {
  readonly url: string
  readonly connection: Connection
}

export interface LocalServiceOptions {
  /** Where the service keeps everything; what is there already is served again. */
  readonly directory: string
  readonly project: string
  /** Logstores that are made when they are not there. */
  readonly logstores: Readonly<Record<string, LogstoreInit>>
}

/** The service checks no signatures here, and a client wants a key nevertheless. */
const credentials = { accessKeyId: 'local', accessKeySecret: 'local' } as const

/** Starts the embedded log service on this directory, on any port that is free. */
export const startLocalService = async (options: LocalServiceOptions): Promise<LocalService> => {
  const { directory, project, logstores } = options
  const server = await logService({ directory, projects: [project] })
  const connection = { endpoint: server.url, project, credentials }
  const { client, close } = slsClient(connection)
  for (const [name, init] of Object.entries(logstores)) {
    await client.logstores.create(name, init).catch((error: unknown) => {
      if (!(error instanceof SlsError && error.class === 'conflict')) throw error
    })
  }
  return {
    url: server.url,
    connection,
    client,
    close: async () => {
      await close()
      await server.close()
    },
  }
}
