//! What providers say of API traffic on ordinary paid accounts: whether they
//! train on it, and whether they keep it. The two are told apart: keeping
//! prompts for a month against abuse is no training.
//!
//! Each row names the vendor's public document, and the month in which it, or a
//! public record that quotes it, was read. Where a document says that content is
//! stored in some cases, it counts as kept: `zdr` is a promise without
//! exceptions. Where it says nothing, or none was found, there is no row, and
//! a provider without a row counts as training and keeping.

use crate::data_policy::DataPolicy;

/// What a document says.
#[derive(Debug)]
pub(super) struct Policy {
    slug: &'static str,
    pub(super) data_policy: DataPolicy,
    document: &'static str,
    read: &'static str,
}

impl Policy {
    /// The document, and the month in which it was read.
    pub(super) fn source(&self) -> String {
        format!("{} ({})", self.document, self.read)
    }
}

const fn row(
    slug: &'static str,
    data_policy: DataPolicy,
    document: &'static str,
    read: &'static str,
) -> Policy {
    Policy {
        slug,
        data_policy,
        document,
        read,
    }
}

/// Neither trained on nor kept.
const NOTHING: DataPolicy = DataPolicy::ZERO_RETENTION;
/// Not trained on, and kept, always or in some cases.
const KEPT: DataPolicy = DataPolicy::RETAINS;
/// Trained on by default, by the provider or by those it passes calls on to.
const TRAINED_ON: DataPolicy = DataPolicy::UNKNOWN;

static POLICIES: &[Policy] = &[
    // Prompts and completions are neither stored nor used to train, nor shown to the models' makers.
    row(
        "amazon-bedrock",
        NOTHING,
        "https://docs.aws.amazon.com/bedrock/latest/userguide/data-protection.html",
        "2026-08",
    ),
    // Inputs and outputs of synchronous calls are not stored by default.
    row(
        "baseten",
        NOTHING,
        "https://docs.baseten.co/observability/security",
        "2026-11",
    ),
    // Inputs and outputs are not kept and not trained on.
    row(
        "cerebras",
        NOTHING,
        "https://www.cerebras.ai/terms-of-service",
        "2026-10",
    ),
    // Prompts and answers are neither stored nor trained on.
    row(
        "chutes",
        NOTHING,
        "https://chutes.ai/docs/core-concepts/security-architecture",
        "2026-08",
    ),
    // Content is not stored unless a storage service is attached, and not trained on.
    row(
        "cloudflare",
        NOTHING,
        "https://developers.cloudflare.com/workers-ai/platform/data-usage/",
        "2026-10",
    ),
    // Processed in real time, not stored or logged, not trained on.
    row("crof", NOTHING, "https://crof.ai/privacy", "2026-08"),
    // Prompts and generations of open models are not stored.
    row(
        "fireworks",
        NOTHING,
        "https://docs.fireworks.ai/accounts/zero-data-retention",
        "2026-11",
    ),
    // Prompts and answers are never stored.
    row("berget", NOTHING, "https://berget.ai/en/terms", "2026-07"),
    // Nothing is kept by default, nothing is trained on.
    row(
        "inceptron",
        NOTHING,
        "https://www.inceptron.io/termsofservice",
        "2026-09",
    ),
    // Not stored after the answer, never trained on.
    row("lilac", NOTHING, "https://getlilac.com/privacy", "2026-08"),
    // No training by default (10.2); zero data retention.
    row(
        "novita",
        NOTHING,
        "https://novita.ai/legal/terms-of-service",
        "2026-09",
    ),
    // Not stored beyond the request, not trained on.
    row(
        "ollama-cloud",
        NOTHING,
        "https://ollama.com/privacy",
        "2026-10",
    ),
    // Data is not stored or shared during or after use.
    row(
        "ovhcloud",
        NOTHING,
        "https://docs.ovhcloud.com/en/guides/public-cloud/ai-machine-learning/ai-endpoints-capabilities",
        "2026-09",
    ),
    // Deleted after the answer, not trained on.
    row(
        "synthetic",
        NOTHING,
        "https://synthetic.new/policies/privacy",
        "2026-08",
    ),
    // Attested enclaves without logs of prompts or answers.
    row(
        "tinfoil",
        NOTHING,
        "https://tinfoil.sh/security-and-privacy-faq",
        "2026-08",
    ),
    // Processed in real time and not saved, not trained on.
    row(
        "z-ai",
        NOTHING,
        "https://docs.z.ai/legal-agreement/privacy-policy",
        "2026-09",
    ),
    // No training on customers' content (7.8); kept until the contract ends (13.5).
    row(
        "ai21",
        KEPT,
        "https://www.ai21.com/terms-policies/terms-of-use/",
        "2026-10",
    ),
    // Never trained on; how long it is kept is not said.
    row(
        "alibaba",
        KEPT,
        "https://www.alibabacloud.com/help/en/model-studio/faq-about-alibaba-cloud-model-studio",
        "2026-10",
    ),
    // Never trained on; how long it is kept is not said.
    row(
        "alibaba-cn",
        KEPT,
        "https://help.aliyun.com/en/model-studio/privacy-notice",
        "2026-09",
    ),
    // No training; deleted within 30 days.
    row(
        "anthropic",
        KEPT,
        "https://platform.claude.com/docs/en/manage-claude/api-and-data-retention",
        "2026-10",
    ),
    // No training; abuse monitoring may store prompts.
    row(
        "azure",
        KEPT,
        "https://learn.microsoft.com/en-us/azure/foundry/responsible-ai/openai/data-privacy",
        "2026-10",
    ),
    // No training; may be stored for a while against abuse.
    row(
        "databricks",
        KEPT,
        "https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/compliance",
        "2026-08",
    ),
    // No training; in memory only, but a small part may be logged for debugging or security.
    row(
        "deepinfra",
        KEPT,
        "https://docs.deepinfra.com/account/data-privacy",
        "2026-11",
    ),
    // No retention by default for its own models; others' are passed on.
    row(
        "digitalocean",
        KEPT,
        "https://try.digitalocean.com/serverless-inference/",
        "2026-05",
    ),
    // Paid services: no training; 55 days against abuse.
    row(
        "google-ai-studio",
        KEPT,
        "https://ai.google.dev/gemini-api/terms",
        "2026-09",
    ),
    // No training; logged or cached for a limited time by default.
    row(
        "google-vertex",
        KEPT,
        "https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/zero-data-retention",
        "2026-11",
    ),
    // No training; not kept by default, but up to 30 days against failures and abuse.
    row(
        "groq",
        KEPT,
        "https://console.groq.com/docs/your-data",
        "2026-11",
    ),
    // Says that it keeps nothing, without saying what is excepted.
    row(
        "hyperbolic",
        KEPT,
        "https://www.hyperbolic.ai/docs/inference/performance-limits",
        "2026-09",
    ),
    // No training by default; 14 days.
    row(
        "inference-net",
        KEPT,
        "https://docs.inference.net/api/data-retention",
        "2026-07",
    ),
    // No training, except on models for contributors; kept.
    row(
        "meta",
        KEPT,
        "https://dev.meta.ai/legal/commitments",
        "2026-10",
    ),
    // No training on API content; kept.
    row(
        "minimax",
        KEPT,
        "https://platform.minimax.io/protocol/privacy-policy",
        "2026-10",
    ),
    // Paid plans: no training; 30 days against abuse.
    row(
        "mistral",
        KEPT,
        "https://legal.mistral.ai/terms/commercial-terms-of-service",
        "2026-09",
    ),
    // No training unless opted in; 30 days against abuse.
    row(
        "openai",
        KEPT,
        "https://developers.openai.com/api/docs/guides/your-data",
        "2026-11",
    ),
    // No training, except on models that are free for a while; prompts are kept.
    row("opencode", KEPT, "https://opencode.ai/docs/zen", "2026-09"),
    // No training on API content.
    row(
        "perplexity",
        KEPT,
        "https://www.perplexity.ai/hub/legal/perplexity-api-terms-of-service",
        "2026-10",
    ),
    // No training; how long it is kept is not said.
    row(
        "sambanova",
        KEPT,
        "https://sambanova.ai/cloud-end-user-license-agreement",
        "2026-09",
    ),
    // Contents are not read or reused; those of failed or abusive requests up to two weeks.
    row(
        "scaleway",
        KEPT,
        "https://www.scaleway.com/en/docs/generative-apis/reference-content/data-privacy/",
        "2026-10",
    ),
    // Training in programs only that one joins (4.4); kept.
    row(
        "stepfun",
        KEPT,
        "https://platform.stepfun.ai/docs/en/agreement/userservice",
        "2026-09",
    ),
    // No training on API content; how long it is kept is not said.
    row(
        "tencent",
        KEPT,
        "https://www.tencentcloud.com/document/product/301/17345",
        "2026-10",
    ),
    // Training is opt-in; kept unless the organization turns that off.
    row(
        "together",
        KEPT,
        "https://docs.together.ai/docs/zero-data-retention",
        "2026-11",
    ),
    // No training; private models keep nothing, anonymized ones are passed on.
    row("venice", KEPT, "https://venice.ai/privacy", "2026-08"),
    // No training on API content; asynchronous results are kept for 30 days.
    row(
        "upstage",
        KEPT,
        "https://www.upstage.ai/terms-of-service",
        "2026-09",
    ),
    // No training; fragments in logs of errors for up to 14 days.
    row(
        "wandb",
        KEPT,
        "https://docs.coreweave.com/products/inference/serverless/privacy-and-security",
        "2026-11",
    ),
    // No training without permission; 30 days.
    row(
        "xai",
        KEPT,
        "https://docs.x.ai/docs/resources/faq-api/security",
        "2026-10",
    ),
    // No training on submitted content; collected.
    row(
        "xiaomi",
        KEPT,
        "https://privacy.mi.com/XiaomiMiMoPlatform/en_GB/",
        "2026-08",
    ),
    // Contents are dropped at the end of a session; logs stay until the account ends.
    row(
        "regolo",
        KEPT,
        "https://regolo.ai/privacy-policy/",
        "2026-10",
    ),
    // No training of models that others can use; kept with the account's data.
    row(
        "snowflake",
        KEPT,
        "https://docs.snowflake.com/en/guides-overview-ai-features",
        "2026-11",
    ),
    // Contents are not stored; what is excepted is not said.
    row(
        "stackit",
        KEPT,
        "https://stackit.com/en/asset/download/34346/file/Service_Certificate_STACKIT_AI_Model_Serving.pdf?inLanguage=eng-DE",
        "2026-10",
    ),
    // Does not train itself; the terms of those it passes calls on to hold.
    row(
        "cloudflare-ai-gateway",
        TRAINED_ON,
        "https://www.cloudflare.com/service-specific-terms-developer-platform/",
        "2026-09",
    ),
    // Keeps nothing itself; passes on to providers that may train.
    row(
        "llmgateway",
        TRAINED_ON,
        "https://llmgateway.io/privacy",
        "2026-10",
    ),
    // Free models may train; logs for up to 30 days.
    row(
        "requesty",
        TRAINED_ON,
        "https://www.requesty.ai/privacy",
        "2026-09",
    ),
    // Content may be used to train.
    row(
        "clarifai",
        TRAINED_ON,
        "https://www.clarifai.com/terms",
        "2026-09",
    ),
    // Prompts and generations train models unless one opts out; 30 days.
    row(
        "cohere",
        TRAINED_ON,
        "https://cohere.com/enterprise-data-commitments",
        "2026-09",
    ),
    // Inputs may be used to improve and train; kept as long as necessary.
    row(
        "deepseek",
        TRAINED_ON,
        "https://cdn.deepseek.com/policies/en-US/deepseek-privacy-policy.html",
        "2026-10",
    ),
    // Keeps nothing itself; the policies of those it passes calls on to hold.
    row(
        "huggingface",
        TRAINED_ON,
        "https://huggingface.co/docs/inference-providers/security",
        "2026-11",
    ),
    // May pass requests on to providers that log and train.
    row(
        "kilo",
        TRAINED_ON,
        "https://kilo.ai/docs/gateway/models-and-providers",
        "2026-09",
    ),
    // Inputs train and refine its technology; kept while the account is active.
    row(
        "moonshotai",
        TRAINED_ON,
        "https://platform.kimi.ai/docs/agreement/userprivacy",
        "2026-10",
    ),
    // Content trains the small models of speculative decoding unless one opts out (7).
    row(
        "nebius",
        TRAINED_ON,
        "https://docs.tokenfactory.nebius.com/legal/terms-of-service",
        "2026-09",
    ),
    // Trial terms: prompts may be used.
    row(
        "nvidia",
        TRAINED_ON,
        "https://assets.ngc.nvidia.com/products/api-catalog/legal/NVIDIA%20API%20Trial%20Terms%20of%20Service.pdf",
        "2026-09",
    ),
    // May pass requests on to providers that train, unless told not to.
    row(
        "openrouter",
        TRAINED_ON,
        "https://openrouter.ai/docs/guides/privacy/provider-logging",
        "2026-11",
    ),
    // Keeps nothing itself; passes on to providers that may train, unless told not to.
    row(
        "vercel",
        TRAINED_ON,
        "https://vercel.com/docs/ai-gateway/security-and-compliance",
        "2026-09",
    ),
];

/// What is known of `slug`; a provider that is not here counts as training
/// and keeping.
pub(super) fn of(slug: &str) -> Option<&'static Policy> {
    POLICIES.iter().find(|policy| policy.slug == slug)
}

/// What holds for one offer and not for its provider: models that are paid for
/// with prompts, and those that are passed on to their makers.
pub(super) fn of_offer(provider: &str, model: &str, open_weights: bool) -> Option<DataPolicy> {
    let author = model.split_once('/').map_or("", |(author, _)| author);
    match provider {
        // Meta, "Data Commitments" (October 2026): the contributors' tier is
        // cheaper because it may be trained on.
        "meta" if model.contains("contributor") => Some(TRAINED_ON),
        // OpenCode, "Zen" (September 2026): what is free for a while is paid for
        // with feedback.
        "opencode" if model.ends_with(":free") => Some(TRAINED_ON),
        // Fireworks, "Zero data retention" (November 2026): open models.
        "fireworks" if !open_weights && matches!(author, "openai" | "anthropic" | "google") => {
            Some(KEPT)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_a_document_a_month_and_one_row() {
        for policy in POLICIES {
            assert!(policy.document.starts_with("https://"), "{}", policy.slug);
            let month = crate::date::unix_seconds(policy.read);
            assert!(month.is_some() && policy.read.len() == 7, "{}", policy.slug);
            assert!(!policy.data_policy.is_contradictory(), "{}", policy.slug);
            let rows = POLICIES.iter().filter(|other| other.slug == policy.slug);
            assert_eq!(rows.count(), 1, "{}", policy.slug);
        }
    }

    #[test]
    fn keeping_is_told_from_training() {
        let openai = of("openai").unwrap().data_policy;
        assert!(openai.retains && !openai.training && !openai.zdr);
        let cohere = of("cohere").unwrap().data_policy;
        assert!(cohere.training);
        assert!(of("ovhcloud").unwrap().data_policy.zdr);
        assert!(of("siliconflow").is_none(), "nothing was found");
        let contributor = of_offer("meta", "meta/muse-spark-1.2-contributor", false);
        assert!(contributor.is_some_and(|policy| policy.training));
    }
}
