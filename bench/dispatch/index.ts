import type { Benchmark } from '../harness/suite.ts'
import { dispatch } from './dispatch.ts'
import { manyShards } from './many-shards.ts'
import { shardCost } from './shard-cost.ts'

export const dispatchSuite: readonly Benchmark[] = [dispatch]
export const shardsSuite: readonly Benchmark[] = [shardCost, manyShards]
