import { describe, expect, test } from 'vitest'
import { BatchingWriter, type Destination } from '../../../src/sink/index.ts'
import { again, FakeTarget, failed, record, refused, to } from './fake-target.ts'

const writerOn = (target: FakeTarget, onRejected?: () => boolean, job = new AbortController()) =>
  new BatchingWriter<Destination, number>({ ...target.parts(), onRejected, signal: job.signal })

const write = (writer: BatchingWriter<Destination, number>, ...texts: readonly string[]): void => {
  for (const text of texts) if (writer.add(to('a'), record(text)) !== undefined) throw new Error('it has no room')
}

describe('a batching writer', () => {
  test('has stored everything when its flush resolves, and did not wait for the linger', async () => {
    const target = new FakeTarget()
    const writer = writerOn(target)
    write(writer, 'a', 'b')
    await target.clock.advanceUntil(writer.flush())
    expect(target.stored).toEqual(['a', 'b'])
    expect(target.clock.monoMs()).toBe(10)
    expect(writer.pending).toBe(0)
    await writer.close()
  })

  test('waits in its flush for what was sent before, also when it has to be sent again', async () => {
    const target = new FakeTarget()
    target.answer = () => (target.sent.length < 3 ? again('unavailable') : undefined)
    const writer = writerOn(target)
    write(writer, 'a')
    await target.clock.advance(3000)
    await target.clock.advanceUntil(writer.flush())
    expect(target.stored).toEqual(['a'])
    await writer.close()
  })

  test('fails this and every later call after the first failure for good', async () => {
    const target = new FakeTarget()
    target.answer = () => failed
    const writer = writerOn(target)
    write(writer, 'a')
    const flush = expect(writer.flush()).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    await target.clock.advance(100)
    await flush
    target.answer = () => undefined
    expect(() => writer.add(to('a'), record('b'))).toThrow('no such place')
    await expect(writer.flush()).rejects.toThrow('no such place')
    await expect(writer.flush()).rejects.toThrow('no such place')
    await writer.close()
    expect(target.memory.used).toBe(0)
  })

  test('does not keep a write waiting whose package can not be stored any more', async () => {
    const target = new FakeTarget({ memory: 100 })
    target.answer = () => failed
    const writer = writerOn(target)
    write(writer, 'x'.repeat(80))
    const blocked = expect(writer.add(to('a'), record('y'.repeat(80)))).rejects.toThrow('no such place')
    await target.clock.advance(100)
    await blocked
    await writer.close()
    expect(target.memory.used).toBe(0)
  })

  test('fails for a record that is refused, unless somebody deals with it', async () => {
    for (const dealtWith of [false, true]) {
      const target = new FakeTarget()
      target.answer = ({ records }) => (records.includes('bad') ? refused : undefined)
      const writer = writerOn(target, () => dealtWith)
      write(writer, 'bad')
      const flush = writer.flush()
      flush.catch(() => {})
      await target.clock.advance(100)
      if (dealtWith) await flush
      else await expect(flush).rejects.toMatchObject({ code: 'SINK_REFUSED', remedy: 'stop' })
      await writer.close()
    }
  })

  test('gives everything back when the job ends, also what never gets an answer', async () => {
    const target = new FakeTarget({ memory: 1000 })
    target.answer = () => 'hang'
    const job = new AbortController()
    const writer = writerOn(target, undefined, job)
    for (let n = 0; n < 5; n++) write(writer, 'x'.repeat(150))
    const flush = expect(writer.flush()).rejects.toThrow('the job ended')
    await target.clock.advance(50)
    job.abort(new Error('the job ended'))
    await flush
    await writer.close()
    await writer.close()
    expect([target.memory.used, target.running, target.clock.pendingTimers]).toEqual([0, 0, 0])
  })

  test('closed, takes nothing', async () => {
    const target = new FakeTarget()
    const writer = writerOn(target)
    await writer.close()
    expect(() => writer.add(to('a'), record('b'))).toThrow('the writer is closed')
    await expect(writer.flush()).rejects.toThrow('the writer is closed')
  })
})
