import { expect, expectTypeOf, test } from 'vitest'
import { arraySource } from '../../../../src/connectors/memory/index.ts'
import { job } from '../../../../src/entry/index.ts'
import { md5Of, slsDispatch, slsSink, slsSource } from '../../../../src/entry/sls.ts'

const connection = {
  endpoint: 'https://cn-hangzhou.log.aliyuncs.com',
  project: 'web',
  credentials: { accessKeyId: 'key', accessKeySecret: 'secret' },
}

test('the record of a sink is that of its stream, without an annotation', () => {
  const composed = job('types', { guarantee: 'at-least-once', checkpoint: { dir: 'ck' } }, (flow) => {
    flow.from('in', arraySource([{ path: '/', ms: 1 }])).to(
      'out',
      slsSink({
        ...connection,
        logstore: 'access',
        log: (line) => {
          expectTypeOf(line).toEqualTypeOf<{ path: string; ms: number }>()
          return { contents: { path: line.path, ms: String(line.ms) } }
        },
        route: md5Of((line) => line.path),
      }),
    )
  })
  expect(composed.name).toBe('types')
})

test('a dispatch takes the LogGroups of a source', () => {
  const composed = job('types', { guarantee: 'at-least-once', checkpoint: { dir: 'ck' } }, (flow) => {
    flow
      .from('in', slsSource({ ...connection, logstore: 'access', records: 'groups' }))
      .to('out', slsDispatch({ ...connection, targets: { all: { logstore: 'copy' } }, routes: () => 'all' }))
  })
  expect(composed.name).toBe('types')
})

test('a job that promises exactly-once does not take a sink that sends again', () => {
  const compose = (): unknown =>
    job('types', { checkpoint: { dir: 'ck' } }, (flow) => {
      const stream = flow.from('in', arraySource(['a']))
      // @ts-expect-error the sink is at-least-once
      stream.to('out', slsSink<string>({ ...connection, logstore: 'access', log: (text) => ({ contents: { text } }) }))
    })
  expect(compose).toThrow('JOB_GRAPH_INVALID')
})
