import fc from 'fast-check'
import { ServiceMachine } from './service-machine.ts'
import { retentionMs, ServiceModel } from './service-model.ts'

/** The model checks the machine by itself; fast-check only chooses, and shrinks, what is done. */
class Step implements fc.AsyncCommand<object, ServiceModel> {
  readonly #name: string
  readonly #act: (model: ServiceModel) => Promise<void>

  constructor(name: string, act: (model: ServiceModel) => Promise<void>) {
    this.#name = name
    this.#act = act
  }

  check(): boolean {
    return true
  }

  run(_: object, model: ServiceModel): Promise<void> {
    return this.#act(model)
  }

  toString(): string {
    return this.#name
  }
}

const step =
  <Values extends readonly unknown[]>(name: string, act: (model: ServiceModel, ...values: Values) => Promise<void>) =>
  (values: Values): Step =>
    new Step(`${name}(${JSON.stringify(values).slice(1, -1)})`, (model) => act(model, ...values))

const pick = fc.nat({ max: 30 })
const key = fc.constantFrom('0', '1', '3f', '4', '7', '8', '9', 'bb', 'c', 'e', 'f'.repeat(32))

const commands = [
  fc.tuple(key).map(step('put', (model, value) => model.put(value))),
  fc.tuple(key).map(step('put', (model, value) => model.put(value))),
  fc
    .tuple(pick, pick, fc.integer({ min: 1, max: 5 }))
    .map(step('pull', (model, shard, from, count) => model.pull(shard, from, count))),
  fc.tuple(pick, fc.nat({ max: 150 })).map(step('cursorOfTime', (model, shard, ago) => model.cursorOfTime(shard, ago))),
  fc
    .tuple(pick, fc.constantFrom('split' as const, 'merge' as const))
    .map(step('reshard', (model, shard, action) => model.reshard(shard, action))),
  fc.tuple(pick).map(step('checkpoint', (model, shard) => model.checkpoint(shard))),
  fc.tuple(fc.constantFrom('a', 'b', 'c')).map(step('heartbeat', (model, consumer) => model.heartbeat(consumer))),
  fc.tuple(fc.constantFrom(10, 1000, 30_000, 70_000)).map(step('advance', (model, ms) => model.advance(ms))),
  fc.tuple(fc.integer({ min: 1, max: 3 })).map(step('recreate', (model, count) => model.recreate(count))),
  fc.constant(new Step('restart', (model) => model.restart())),
  fc
    .tuple(fc.array(key, { maxLength: 6 }), fc.option(pick, { nil: undefined }), fc.nat({ max: 120 }))
    .map(step('losePower', (model, keys, split, steps) => model.losePower(keys, split, steps))),
]

/**
 * Plays runs of random commands against the whole service on a simulated disk and a plain model.
 * @throws Error with the shrunken commands of the first run that fails
 */
export const runServiceModel = async (runs: number, seed?: number): Promise<void> => {
  const property = fc.asyncProperty(
    fc.nat(),
    fc.commands(commands, { maxCommands: 25, size: 'max' }),
    async (machineSeed, steps) => {
      const machine = new ServiceMachine(machineSeed, { retentionMs, sweepIntervalMs: 20_000 })
      await machine.start()
      const model = new ServiceModel(machine)
      await model.create(1 + (machineSeed % 3))
      await fc.asyncModelRun(() => ({ model: {}, real: model }), steps)
      await model.verify()
    },
  )
  await fc.assert(property, { numRuns: runs, ...(seed === undefined ? {} : { seed }) })
}
