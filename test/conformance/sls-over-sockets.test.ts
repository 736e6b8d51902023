import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { atLeastOnceSinkConformance, sourceConformance } from '../../src/testing/index.ts'
import { splitsAsLogstores, splitsAsShards } from './sls-on-bench.ts'
import { SlsSinkOnBench } from './sls-sink-on-bench.ts'
import { SocketNetwork } from './socket-network.ts'

let network: SocketNetwork

beforeAll(async () => {
  network = await SocketNetwork.open()
})

afterAll(async () => {
  await network.close()
})

describe('over sockets, slsSource over the shards of a logstore', () => {
  for (const check of sourceConformance((bench) =>
    splitsAsShards(bench, (handle, environment) => network.transport(bench.world, handle, environment)),
  ))
    test(check.name, check.run)
})

describe('over sockets, slsSource over logstores of a pattern', () => {
  for (const check of sourceConformance((bench) =>
    splitsAsLogstores(bench, (handle, environment) => network.transport(bench.world, handle, environment)),
  ))
    test(check.name, check.run)
})

describe('over sockets, slsSink', () => {
  for (const check of atLeastOnceSinkConformance(
    (bench) =>
      new SlsSinkOnBench(bench, 2, (handle, environment, faultOf) =>
        network.transport(bench.world, handle, environment, faultOf),
      ),
  ))
    test(check.name, check.run)
})

test('over sockets, all of it went through them', () => {
  expect(network.requests).toBeGreaterThan(1_000)
})
