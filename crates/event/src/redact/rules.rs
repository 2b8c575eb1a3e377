//! The rule set: tokens that show by their shape what they are, and values that are named as secrets.
//!
//! Owns names and patterns; the names stand in entries, so a name never changes its meaning. Specific
//! shapes come before general ones. Every pattern is matched in time linear in the text.

/// Rule name and pattern. The group `s`, where there is one, is the secret; else the whole match. `\b`
/// is a boundary of ASCII words, so that no letter of another script hides a token beside it.
pub(super) const RULES: &[(&str, &str)] = &[
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|$)",
    ),
    ("age-key", r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}\b"),
    // Clouds.
    ("aws-access-key", r"\b(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b"),
    ("google-api-key", r"\bAIza[0-9A-Za-z_-]{35}"),
    (
        "google-oauth",
        r"\b(?:ya29\.[0-9A-Za-z_-]{20,}|GOCSPX-[0-9A-Za-z_-]{20,}|1//0[0-9A-Za-z_-]{30,})",
    ),
    (
        "azure-key",
        r"(?i)\b(?:AccountKey|SharedAccessKey)=(?P<s>[A-Za-z0-9+/]{40,}={0,2})",
    ),
    (
        "azure-sas",
        r"(?i)[?&]sig=(?P<s>[A-Za-z0-9%+/]{40,}(?:%3D|=){0,2})",
    ),
    ("digitalocean-token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    (
        "fly-token",
        r"\bfo1_[A-Za-z0-9_-]{40,}|\bFlyV1 fm[12]_[A-Za-z0-9+/=,_-]{40,}",
    ),
    ("heroku-key", r"\bHRKU-[A-Za-z0-9_-]{36,}"),
    // Code and packages.
    (
        "github-token",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
    ),
    (
        "gitlab-token",
        r"\bgl(?:pat|dt|rt|ptt|ft|agent|cbt|soat|imt|oas)-[A-Za-z0-9_-]{20,}",
    ),
    ("bitbucket-token", r"\bATBB[A-Za-z0-9]{24,}\b"),
    ("atlassian-token", r"\bATATT3[A-Za-z0-9_=-]{40,}"),
    ("npm-token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("pypi-token", r"\bpypi-[A-Za-z0-9_-]{50,}"),
    ("rubygems-key", r"\brubygems_[0-9a-f]{48}\b"),
    ("crates-token", r"\bcio[A-Za-z0-9]{32}\b"),
    ("docker-token", r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    // Models.
    ("anthropic-key", r"\bsk-ant-[A-Za-z0-9_-]{16,}"),
    ("openai-key", r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}"),
    ("huggingface-token", r"\bhf_[A-Za-z0-9]{30,}\b"),
    ("groq-key", r"\bgsk_[A-Za-z0-9]{40,}\b"),
    ("replicate-token", r"\br8_[A-Za-z0-9]{30,}\b"),
    // Talking and paying.
    (
        "slack-token",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-[0-9]-[A-Za-z0-9-]{20,}",
    ),
    (
        "slack-webhook",
        r"\bhooks\.slack\.com/(?:services|workflows)/(?P<s>[A-Za-z0-9+/_-]{20,})",
    ),
    (
        "discord-webhook",
        r"\bdiscord(?:app)?\.com/api/webhooks/[0-9]{5,}/(?P<s>[A-Za-z0-9_-]{30,})",
    ),
    ("telegram-token", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
    (
        "stripe-key",
        r"\b(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}\b|\bwhsec_[A-Za-z0-9+/=]{24,}",
    ),
    ("square-token", r"\bsq0(?:atp|csp)-[A-Za-z0-9_-]{22,}"),
    ("shopify-token", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    ("twilio-key", r"\bSK[0-9a-f]{32}\b"),
    (
        "sendgrid-key",
        r"\bSG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{40,46}",
    ),
    ("mailgun-key", r"\bkey-[0-9a-f]{32}\b"),
    ("mailchimp-key", r"\b[0-9a-f]{32}-us[0-9]{1,2}\b"),
    // Running things.
    ("vault-token", r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    (
        "terraform-token",
        r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{40,}",
    ),
    ("pulumi-token", r"\bpul-[0-9a-f]{40}\b"),
    ("databricks-token", r"\bdapi[0-9a-f]{32}\b"),
    ("newrelic-key", r"\bNR(?:AK|JS|AA|II)-[A-Za-z0-9_-]{20,}"),
    ("grafana-token", r"\bgl(?:sa|c)_[A-Za-z0-9+/_=-]{32,}"),
    ("sentry-token", r"\bsntry[su]_[A-Za-z0-9+/_=-]{40,}"),
    ("supabase-token", r"\bsbp_[0-9a-f]{40}\b"),
    (
        "planetscale-token",
        r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{30,}",
    ),
    (
        "tailscale-key",
        r"\btskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9-]{20,}",
    ),
    // Planning and designing.
    ("linear-key", r"\blin_(?:api|oauth)_[A-Za-z0-9]{32,}\b"),
    (
        "notion-token",
        r"\bntn_[A-Za-z0-9]{40,}\b|\bsecret_[A-Za-z0-9]{43}\b",
    ),
    ("figma-token", r"\bfig[du]_[A-Za-z0-9_-]{36,}"),
    ("postman-key", r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}\b"),
    ("airtable-token", r"\bpat[A-Za-z0-9]{14}\.[0-9a-f]{64}\b"),
    // Shapes that many share.
    (
        "jwt",
        r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    (
        "authorization",
        r"(?i)\bauthorization['\x22]?\s*[:=]\s*['\x22]?(?:bearer|basic|token)\s+(?P<s>[A-Za-z0-9._~+/=-]{8,})",
    ),
    (
        "cookie",
        r"(?i)\b(?:set-)?cookie\s*:\s*(?P<s>[^\s'\x22][^'\x22\n]{7,})",
    ),
    (
        "url-password",
        r"\b[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@'\x22\[]*:(?P<s>[^\s/@'\x22]+)@",
    ),
    // Programs that are given a secret as an argument.
    (
        "argument",
        r"(?:^|\s)--(?:password|passwd|passphrase|secret|token|api-key|apikey|auth-token|access-token|client-secret|secret-key|private-token|auth-key)\s+['\x22]?(?P<s>[^\s'\x22-][^\s'\x22;&|]{5,})",
    ),
    (
        "argument",
        r"\bsshpass\s+-p\s*['\x22]?(?P<s>[^\s'\x22]{4,})",
    ),
    (
        "argument",
        r"\bmysql(?:dump|admin)?\b[^;&|\n]{0,200}?\s-p['\x22]?(?P<s>[^\s'\x22;&|]{6,})",
    ),
    (
        "argument",
        r"\bcurl\b[^;&|\n]{0,300}?\s(?:-u|--user)\s*['\x22]?[^\s:'\x22\[]{1,64}:(?P<s>[^\s'\x22;&|]{4,})",
    ),
    (
        NAMED,
        r"(?i)\b[A-Za-z0-9_-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|account[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|private[_-]?token|client[_-]?secret)[A-Za-z0-9_-]*['\x22]?\s*[:=]\s*['\x22]?(?P<s>[^\s'\x22,;&|)}\]]{6,})",
    ),
];

/// The rule for values that only their name tells of.
pub(super) const NAMED: &str = "named-secret";

/// What a name such as `password` is given in code and is no secret: a type, a truth value, or the place
/// where the secret comes from.
const IN_CODE: &[&str] = &[
    "string",
    "boolean",
    "number",
    "undefined",
    "option<",
    "optional",
    "required",
    "default",
    "process.env",
    "os.environ",
    "os.getenv",
    "env::var",
    "std::env",
    "import.meta",
    "req.",
    "request.",
    "self.",
    "this.",
    "config.",
    "settings.",
    "args.",
    "params.",
    "secrets.",
    "vault:",
    "input(",
];

/// Whether a value that only its name tells of is a reference to a secret and not the secret.
pub(super) fn is_reference(value: &str) -> bool {
    let lower = value.to_lowercase();
    value.starts_with(['$', '<', '%'])
        || value.contains('(')
        || value.chars().all(|c| c == '*' || c == 'x' || c == '.')
        || IN_CODE.iter().any(|word| lower.starts_with(word))
}
