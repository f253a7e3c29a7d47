//! GitHub's own description of its API, where it is there: requests and bodies are held against it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use wiremock::Request;

struct Description {
    document: Value,
    validators: Mutex<BTreeMap<String, &'static Validator>>,
}

fn description() -> Option<&'static Description> {
    static DESCRIPTION: OnceLock<Option<Description>> = OnceLock::new();
    let read = || {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/corpus/github-api/openapi-subset.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!(
                "skipped: no description of GitHub's API is here, \
                 so the fake was not held against it"
            );
            return None;
        };
        let mut document: Value = serde_json::from_str(&text).unwrap();
        plain_schema(&mut document["components"]["schemas"]);
        Some(Description { document, validators: Mutex::default() })
    };
    DESCRIPTION.get_or_init(read).as_ref()
}

/// Whether anything is held against it here.
pub(crate) fn is_here() -> bool {
    description().is_some()
}

/// OpenAPI 3.0 says `nullable: true` where JSON Schema has a type of its own.
fn plain_schema(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(plain_schema),
        Value::Object(fields) => {
            fields.values_mut().for_each(plain_schema);
            if fields.remove("nullable") == Some(Value::Bool(true)) {
                nullable(fields);
            }
        }
        _ => (),
    }
}

fn nullable(fields: &mut Map<String, Value>) {
    if let Some(Value::Array(words)) = fields.get_mut("enum") {
        words.push(Value::Null);
    }
    match fields.get("type").cloned() {
        Some(kind) => {
            fields.insert("type".to_owned(), json!([kind, "null"]));
        }
        None => {
            let or = std::mem::take(fields);
            fields.insert("anyOf".to_owned(), json!([or, {"type": "null"}]));
        }
    }
}

/// The template of a path: `/repositories/{id}` is what GitHub's own links say for
/// `/repos/{owner}/{repo}`.
fn template(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["repos", _, _] | ["repositories", _] => Some("/repos/{owner}/{repo}"),
        ["repos", _, _, "issues"] | ["repositories", _, "issues"] => {
            Some("/repos/{owner}/{repo}/issues")
        }
        _ => None,
    }
}

/// What a request does that the description does not know.
pub(crate) fn request_violations(request: &Request, path: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let target = request.url.to_string();
    let header = |name: &str| {
        request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    if request.method.as_str() != "GET" {
        wrong.push(format!("{} {target}: the look-up writes", request.method));
    }
    if !header("user-agent").starts_with("pester-gate/")
        || header("accept") != "application/vnd.github+json"
    {
        wrong.push(format!("{target}: {:?} {:?}", header("user-agent"), header("accept")));
    }
    if header("x-github-api-version") != "2022-11-28"
        || !header("authorization").starts_with("Bearer ")
    {
        wrong.push(format!("{target}: no version, or no token"));
    }
    let Some(template) = template(path) else {
        return [wrong, vec![format!("{path} is no path of the API")]].concat();
    };
    let Some(description) = description() else { return wrong };
    let declared = &description.document["paths"][template]["get"]["parameters"];
    let declared: Vec<&Value> =
        declared.as_array().unwrap().iter().map(|p| description.resolve(p)).collect();
    for (name, value) in request.url.query_pairs() {
        let Some(parameter) = declared.iter().find(|p| p["in"] == "query" && p["name"] == *name)
        else {
            wrong.push(format!("{target}: the API knows no parameter {name}"));
            continue;
        };
        let typed = value.parse::<i64>().map_or_else(|_| json!(value), |number| json!(number));
        let schema = &parameter["schema"];
        let typed = if schema["type"] == "string" { json!(value) } else { typed };
        if !jsonschema::is_valid(schema, &typed) {
            wrong.push(format!("{target}: {name}={value} is not {schema}"));
        }
    }
    wrong
}

/// What a body does that the description does not know.
pub(crate) fn answer_violations(path: &str, status: u16, body: &Value) -> Vec<String> {
    let (Some(description), Some(template)) = (description(), template(path)) else {
        return Vec::new();
    };
    let validator = description.validator(template, status);
    validator
        .iter_errors(body)
        .take(3)
        .map(|e| format!("{path} {status}: {} {e}", e.instance_path()))
        .collect()
}

impl Description {
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(target) => self.document.pointer(target.trim_start_matches('#')).unwrap(),
            None => value,
        }
    }

    /// Errors that an operation does not list have the shape that all of GitHub's errors have.
    fn validator(&self, template: &str, status: u16) -> &'static Validator {
        let key = format!("{template} {status}");
        if let Some(known) = self.validators.lock().unwrap().get(&key) {
            return known;
        }
        let responses = &self.document["paths"][template]["get"]["responses"];
        let response = self.resolve(&responses[status.to_string()]);
        let mut schema = response["content"]["application/json"]["schema"].clone();
        if schema.is_null() {
            assert_ne!(status, 200, "{template} has no schema");
            schema = json!({"$ref": "#/components/schemas/basic-error"});
        }
        plain_schema(&mut schema);
        let schemas = &self.document["components"]["schemas"];
        let whole = json!({"components": {"schemas": schemas}, "allOf": [schema]});
        let built = jsonschema::options().should_validate_formats(true).build(&whole).unwrap();
        let built: &'static Validator = Box::leak(Box::new(built));
        self.validators.lock().unwrap().insert(key, built);
        built
    }
}
