import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogGroupBuilder, viewLogGroup } from '../../src/wire/index.ts'

test('a log that was read goes into another group as it is, with more contents behind its own', () => {
  const fields = fc.array(fc.tuple(fc.string(), fc.string({ maxLength: 300 })), { maxLength: 80 })
  fc.assert(
    fc.property(fields, fields, (contents, added) => {
      const first = new LogGroupBuilder({ topic: 't' })
      first.add({ time: 7, timeNs: 5, contents })
      const second = new LogGroupBuilder()
      for (const log of viewLogGroup(first.finish()).logs()) second.addView(log, added)
      const [log] = viewLogGroup(second.finish()).logs()
      expect([log?.time, log?.timeNs, log?.entries()]).toEqual([7, 5, [...contents, ...added]])
    }),
  )
})
