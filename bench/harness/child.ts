import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const childMain = fileURLToPath(new URL('./child-main.js', import.meta.url))

/**
 * Calls the function `measure` of a module in a process of its own, so that neither the heap nor what the compiler has
 * learnt comes from an earlier repetition.
 *
 * @param module its `import.meta.url`
 */
export const inChild = async <Input, Output>(module: string, input: Input): Promise<Output> => {
  const child = fork(childMain, [module], { execArgv: ['--expose-gc'], serialization: 'advanced' })
  const answers: Output[] = []
  child.on('message', (answer) => answers.push(answer as Output))
  child.send({ input })
  const [code] = (await once(child, 'exit')) as [number | null]
  const [answer] = answers
  if (code !== 0 || answer === undefined) throw new Error(`the process of ${module} ended with ${code}`)
  return answer
}
