import { job, run } from '../../src/entry/index.ts'
import { sendingResources, slsDispatch, slsSink, slsSource } from '../../src/entry/sls.ts'
import { connectionTo, type Loop } from './loops.ts'

/** The same work as jobs: each run starts, reads what is there, and ends. */

const source = { logstore: 'source', end: 'now' } as const
const topics = ['topic-0', 'topic-1', 'topic-2', 'topic-3']

/** LogGroups by topic, as they are. */
export const passJob = (port: number): Loop => {
  const connection = connectionTo(port)
  const place = { resources: sendingResources() }
  const targets = Object.fromEntries(topics.map((topic) => [topic, { logstore: topic }]))
  const routes = Object.fromEntries(topics.map((topic) => [topic, topic]))
  return async () => {
    const dispatch = slsDispatch({ ...connection, targets, routes }, place)
    await run(
      job('pass', (flow) =>
        flow.from('in', slsSource({ ...connection, ...source, records: 'groups' })).to('out', dispatch),
      ),
    ).done
  }
}

/** All fields of each log as an object, changed and sent. */
export const objectsJob = (port: number): Loop => {
  const connection = connectionTo(port)
  const place = { resources: sendingResources() }
  return async () => {
    const sink = slsSink<{ topic: string; time: number; timeNs: number | undefined; contents: Record<string, string> }>(
      { ...connection, log: ({ topic, ...log }) => ({ ...log, topic, logstore: topic }), package: { bytes: '1MiB' } },
      place,
    )
    await run(
      job('objects', (flow) =>
        flow
          .from('in', slsSource({ ...connection, ...source }))
          .map((log) => {
            const contents = log.toObject()
            contents['env'] = 'prod'
            contents['slow'] = contents['status'] === '502' ? '1' : '0'
            return { topic: log.topic, time: log.time, timeNs: log.timeNs, contents }
          })
          .to('out', sink),
      ),
    ).done
  }
}
