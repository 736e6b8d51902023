import { type HttpRequest, type Transport, TransportError } from '../../../src/core/index.ts'

/** The same transport. `doubted` is told of every put of which its sender cannot know how it ended. */
export const watchPuts = (
  transport: Transport,
  isPut: (request: HttpRequest) => boolean,
  doubted: (request: HttpRequest) => void,
): Transport => ({
  send: async (origin, request, options) => {
    if (!isPut(request)) return await transport.send(origin, request, options)
    try {
      const response = await transport.send(origin, request, options)
      if (response.status >= 500) doubted(request)
      return response
    } catch (error) {
      if (error instanceof TransportError && error.kind !== 'not-sent') doubted(request)
      throw error
    }
  },
  close: () => transport.close(),
})

/** The logstore that a put goes to; undefined for any other request. */
export const putTargetOf = ({ method, target }: HttpRequest): string | undefined =>
  method === 'POST' ? /^\/logstores\/([^/?]+)\/shards\/(?:lb|route)(?:\?|$)/.exec(target)?.[1] : undefined
