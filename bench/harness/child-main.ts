/** The program of a child: one measurement, then the end. */
const [, , path = ''] = process.argv
process.once('message', (message: { readonly input: unknown }) => {
  void (async () => {
    try {
      const module = (await import(path)) as { measure(input: unknown): Promise<unknown> }
      const answer = await module.measure(message.input)
      process.send?.(answer, () => process.exit(0))
    } catch (thrown) {
      process.stderr.write(`${thrown instanceof Error ? thrown.stack : String(thrown)}\n`)
      process.exit(1)
    }
  })()
})
