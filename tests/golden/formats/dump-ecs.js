// Makes ecs-8.11.json of the npm package @elastic/ecs, of which only names and types of fields are kept:
//   npm pack @elastic/ecs@8.11.5 && tar xzf elastic-ecs-8.11.5.tgz && node dump-ecs.js "$PWD/package" > ecs-8.11.json
const { EcsFlat } = require(process.argv[2] + "/generated/ecs_flat.js");
const sets = /^(@timestamp|labels|tags|message|(ecs|event|rule|related|error|url|http|network|user_agent|dns)\..*|(source|destination|user|observer|process)\.[a-z_]+|tls\.(version|client\.server_name)|user\.(target|effective|changes)\.(id|name|roles))$/;
const fields = {};
for (const [name, field] of Object.entries(EcsFlat))
  if (sets.test(name)) fields[name] = field.normalize.includes("array") ? field.type + "[]" : field.type;
const categories = Object.fromEntries(EcsFlat["event.category"].allowed_values.map((v) => [v.name, v.expected_event_types || []]));
const values = (name) => EcsFlat[name].allowed_values.map((v) => v.name);
console.log(JSON.stringify({
  source: "npm @elastic/ecs " + require(process.argv[2] + "/package.json").version + ", generated/ecs_flat.js",
  license: "Apache-2.0 (see LICENSE); Copyright 2023 Elasticsearch B.V.",
  categories, kinds: values("event.kind"), types: values("event.type"), outcomes: values("event.outcome"), fields,
}, null, 1));
