import { job, run } from '../../src/entry/index.ts'
import {
  type Log,
  type OutgoingLog,
  type SlsDispatch,
  sendingResources,
  slsDispatch,
  slsSink,
  slsSource,
} from '../../src/entry/sls.ts'
import { connectionTo, type Loop } from './loops.ts'

/** The same work as jobs: each run starts, reads what is there, and ends. */

const source = { logstore: 'source', end: 'now' } as const
const topics = ['topic-0', 'topic-1', 'topic-2', 'topic-3']

/** LogGroups by topic to as many logstores. */
export const dispatchTo = (port: number, resources = sendingResources()): SlsDispatch =>
  slsDispatch(
    {
      ...connectionTo(port),
      targets: Object.fromEntries(topics.map((topic) => [topic, { logstore: topic }])),
      routes: Object.fromEntries(topics.map((topic) => [topic, topic])),
    },
    { resources },
  )

/** LogGroups by topic, as they are. */
export const passJob = (port: number): Loop => {
  const resources = sendingResources()
  return async () => {
    const groups = slsSource({ ...connectionTo(port), ...source, records: 'groups' })
    await run(job('pass', (flow) => flow.from('in', groups).to('out', dispatchTo(port, resources)))).done
  }
}

/** All fields of each log as an object, changed and sent. */
export const objectsJob = (port: number): Loop => {
  const connection = connectionTo(port)
  const place = { resources: sendingResources() }
  const log = (record: Log): OutgoingLog => {
    const contents = record.toObject()
    contents['env'] = 'prod'
    contents['slow'] = contents['status'] === '502' ? '1' : '0'
    const { topic, time, timeNs } = record
    return { contents, topic, time, timeNs, logstore: topic }
  }
  return async () => {
    const sink = slsSink({ ...connection, log, package: { bytes: '1MiB' } }, place)
    await run(job('objects', (flow) => flow.from('in', slsSource({ ...connection, ...source })).to('out', sink))).done
  }
}
