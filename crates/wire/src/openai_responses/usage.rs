//! Token counts as this format tells them.
//!
//! Readers share the reader of chat completions, which knows both sets of
//! names.

use bourse_vocab::{Bill, Usage, UsageReport};

use crate::object::{Object, object};

/// What a report says, with zeros where it is silent.
pub fn known(report: &UsageReport) -> Usage {
    report.resolve(&Usage::default()).0
}

/// Writes `usage` with OpenRouter's price, if there is one. The names of the
/// shares differ from those of chat completions (openrouter.ai/docs, API
/// document, `UsageCostDetails`, October 2026). Amounts never pass through a
/// float.
pub fn write(out: &mut Vec<u8>, usage: &Usage, bill: Option<&Bill>) {
    object(out, |text| {
        text.put("input_tokens", &usage.prompt)
            .nested("input_tokens_details", |out| {
                object(out, |details| {
                    details
                        .put("cached_tokens", &usage.cache_read)
                        .put("cache_write_tokens", &usage.cache_write());
                });
            })
            .put("output_tokens", &usage.completion)
            .nested("output_tokens_details", |out| {
                object(out, |details| {
                    details.put("reasoning_tokens", &usage.reasoning);
                });
            })
            .put("total_tokens", &usage.total());
        if let Some(bill) = bill {
            price(text, bill);
        }
        if usage.web_searches > 0 {
            text.nested("server_tool_use_details", |out| {
                object(out, |details| {
                    details.put("web_search_requests", &usage.web_searches);
                });
            });
        }
    });
}

fn price(text: &mut Object<'_>, bill: &Bill) {
    text.raw("cost", &bill.total.to_string())
        .put("is_byok", &false)
        .nested("cost_details", |out| {
            object(out, |details| {
                details
                    .raw("upstream_inference_cost", &bill.upstream().to_string())
                    .raw(
                        "upstream_inference_input_cost",
                        &bill.upstream_prompt.to_string(),
                    )
                    .raw(
                        "upstream_inference_output_cost",
                        &bill.upstream_completion.to_string(),
                    );
            });
        });
}
