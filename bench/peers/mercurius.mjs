// `node mercurius.mjs PORT`: mercurius with its just-in-time compiler, for every query from its first time on.
import fastify from "fastify";
import mercurius from "mercurius";
import { context, resolvers, typeDefs } from "./roster.mjs";

const app = fastify();
app.register(mercurius, { schema: typeDefs, resolvers, context, jit: 1 });
await app.listen({ port: Number(process.argv[2]), host: "127.0.0.1" });
