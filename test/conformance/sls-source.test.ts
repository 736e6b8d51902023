import { describe, test } from 'vitest'
import { sourceConformance } from '../../src/testing/index.ts'
import { splitsAsLogstores, splitsAsShards } from './sls-on-bench.ts'

describe('slsSource over the shards of a logstore', () => {
  for (const check of sourceConformance(splitsAsShards)) test(check.name, check.run)
})

describe('slsSource over logstores of a pattern', () => {
  for (const check of sourceConformance(splitsAsLogstores)) test(check.name, check.run)
})
