// Reports of the audit, as others read them. `node --test`, with the reports in the folder REPORTS.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import Ajv from "ajv";
import { parse } from "junit2json";

const REPORT = (name) => readFileSync(`${process.env.REPORTS}/${name}`, "utf8");

test("SARIF is valid by the schema of its standard", () => {
  const load = createRequire(import.meta.url);
  const schema = load("@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json");
  const ajv = new Ajv({ allErrors: true, meta: false, schemaId: "id" });
  ajv.addMetaSchema(load("ajv/lib/refs/json-schema-draft-04.json"));
  const isValid = ajv.compile(schema);
  const report = JSON.parse(REPORT("report.sarif"));
  assert.ok(isValid(report), ajv.errorsText(isValid.errors));
  const [run] = report.runs;
  assert.ok(run.results.length > 0);
  // What a schema cannot say: results name rules of the driver.
  const rules = run.tool.driver.rules.map((rule) => rule.id);
  assert.ok(run.results.every((result) => rules.includes(result.ruleId)));
});

test("JUnit has its suite, a case for each operation, and the failure's text", async () => {
  const { testsuite: [suite] } = await parse(REPORT("report.xml"));
  assert.equal(suite.tests, suite.testcase.length);
  const failed = suite.testcase.filter((it) => it.failure);
  assert.equal(suite.failures, failed.length);
  const [failure] = failed.find((it) => it.name === "GET /me").failure;
  assert.equal(failure.type, "no-token");
  assert.match(failure.inner, /repeat: curl /);
});
