import type { LogPlace } from '../../../../src/connectors/sls/producer/log-destination.ts'
import type { LogPuts } from '../../../../src/connectors/sls/producer/log-puts.ts'
import type { SendResult } from '../../../../src/sink/index.ts'
import { type LogGroupView, viewLogGroup } from '../../../../src/wire/index.ts'

export interface Put {
  readonly place: LogPlace
  readonly group: LogGroupView
}

/** A service that keeps what it is told to store. */
export class FakePuts implements LogPuts {
  readonly puts: Put[] = []
  answer: (put: Put) => SendResult = () => ({ kind: 'accepted' })

  async put(place: LogPlace, bytes: Uint8Array): Promise<SendResult> {
    await undefined
    const put = { place, group: viewLogGroup(bytes.slice()) }
    const result = this.answer(put)
    if (result.kind === 'accepted') this.puts.push(put)
    return result
  }

  /** Logs of a logstore, as objects. */
  logs(logstore: string): Record<string, string>[] {
    return this.puts
      .filter(({ place }) => place.logstore === logstore)
      .flatMap(({ group }) => [...group.logs()].map((log) => ({ ...(log.toObject() as Record<string, string>) })))
  }
}
