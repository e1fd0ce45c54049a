// `node yoga.mjs PORT`: GraphQL Yoga, whose parser and validation cache is on by itself, with graphql-jit as its executor.
import { createServer } from "node:http";
import { useGraphQlJit } from "@envelop/graphql-jit";
import { createSchema, createYoga } from "graphql-yoga";
import { context, resolvers, typeDefs } from "./roster.mjs";

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  context,
  graphiql: false,
  logging: "error",
  plugins: [useGraphQlJit()],
});
createServer(yoga).listen(Number(process.argv[2]), "127.0.0.1");
