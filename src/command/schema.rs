//! `schema [ID]`: JSON Schema of a receipt or of the configuration.

use anyhow::{Result, anyhow};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};

use crate::domain::config::Config;
use crate::domain::receipt::{
    ContextReceipt, EvidenceReceipt, ExecutionReceipt, OperatorOutcome, Provenance,
    ReadinessReceipt, Receipt, RouteReceipt, SelectionReceipt,
};
use crate::domain::results::bundle::{self, Bundle};
use crate::domain::results::test_list::{self, TestList};
use crate::domain::results::triage::{self, Triage};

/// Id of the configuration's schema.
pub(crate) const CONFIGURATION: &str = "pester-gate-configuration@v1";

/// Every schema with its id, receipts in the order of the layers, the configuration last.
pub(crate) fn all() -> Vec<(&'static str, Schema)> {
    vec![
        (RouteReceipt::SCHEMA, receipt::<RouteReceipt>()),
        (ContextReceipt::SCHEMA, receipt::<ContextReceipt>()),
        (ReadinessReceipt::SCHEMA, receipt::<ReadinessReceipt>()),
        (SelectionReceipt::SCHEMA, receipt::<SelectionReceipt>()),
        (ExecutionReceipt::SCHEMA, receipt::<ExecutionReceipt>()),
        (EvidenceReceipt::SCHEMA, receipt::<EvidenceReceipt>()),
        (OperatorOutcome::SCHEMA, receipt::<OperatorOutcome>()),
        (Provenance::SCHEMA, receipt::<Provenance>()),
        (test_list::SCHEMA, document::<TestList>(test_list::SCHEMA)),
        (triage::SCHEMA, document::<Triage>(triage::SCHEMA)),
        (bundle::SCHEMA, document::<Bundle>(bundle::SCHEMA)),
        (CONFIGURATION, generator().into_root_schema_for::<Config>()),
    ]
}

/// One schema by its id.
pub(crate) fn one(id: &str) -> Result<Schema> {
    let found = all().into_iter().find(|(known, _)| *known == id);
    found.map(|(_, schema)| schema).ok_or_else(|| {
        let known: Vec<_> = all().iter().map(|(id, _)| *id).collect();
        anyhow!("no schema {id:?}; known are {}", known.join(", "))
    })
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().into_generator()
}

/// A receipt's schema, its id pinned: a reader fails closed on another.
fn receipt<R: Receipt + schemars::JsonSchema>() -> Schema {
    document::<R>(R::SCHEMA)
}

/// The same for a document that is no receipt.
fn document<D: schemars::JsonSchema>(id: &str) -> Schema {
    let mut schema = generator().into_root_schema_for::<D>();
    if let Some(field) =
        schema.pointer_mut("/properties/schema").and_then(serde_json::Value::as_object_mut)
    {
        field.insert("const".to_owned(), id.into());
    }
    schema
}
