/**
 * Vectors for the verifier: a log whose sixteen checkpoints are public, and a receipt over it with
 * two cosignatures.
 */

/** Verifier key of the log (Tessera's test log). */
export const LOG_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
export const WIT1 = "Wit1+9b3fb2d5+BFhZSmQj9+SoL+p/nN0Hh76xXmF7QcHfytUrI1XfSClk";
export const WIT2 = "Wit2+38153445+BGVbwFJte9wMQIPSnEnj4KibeO6vSIOEDUTDp3o63c2x";

/** Both witnesses are needed. */
export const POLICY = `log ${LOG_KEY}\nwitness w1 ${WIT1}\nwitness w2 ${WIT2}\ngroup both all w1 w2\nquorum both\n`;

/** The entry at index 7. */
export const ENTRY = "eit";

export const CHECKPOINT = `example.com/log/testdata
15
rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=

— example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=
— Wit1 mz+y1QAAAABlU/EAYEDMPd8Ge7XzsHcNU+F3AzavfsuzhRT3gC4BORiySViMAWQq5znn5g+ruu+iDztzMS3EeF6xr4ug+O66ORoSAw==
— Wit2 OBU0RQAAAABlU/EBrDBVZNhp8DEo80z37UjX3WCiaYdzrMK0aqiG6vXMVyllGqNnbAiYcUE05keOxntqpvx9wE/A+yEDiTM2LbFpAw==
`;

export const RECEIPT = `c2sp.org/tlog-proof@v1
index 7
2Q0P5jSR+TdkwdXWyx+GbBWX0KZbNZkWzCjyTPSozsw=
ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=
zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=
5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=

${CHECKPOINT}`;

/** Roots of the log by size. */
export const ROOTS: Record<number, string> = {
  3: "Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=",
  6: "a6sWvsc2eEzmj72vah7mZ5dwFltivehh2b11qwlp5Jg=",
  7: "IrSXADBqJ7EQoUODSDKROySgNveeL6CFhik2w/+fS7U=",
  8: "bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=",
  15: "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=",
};

/** Inclusion proofs in the tree of 15, with the entry. */
export const INCLUSION: { index: bigint; entry: string; proof: string[] }[] = [
  {
    index: 0n,
    entry: "one",
    proof: [
      "qxq38Hx8j+Dv9LpvqlPH5EEukaWZFT6KpOAb7s5beCU=",
      "Fn6xZD9sPWKLwgCo+qZLMAqFlh0MMf5ytM55jhjCpmM=",
      "g0ZoeYWtIV8Q8i+4CmgqPnBvH2il107lyCgTQsyB7H4=",
      "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=",
    ],
  },
  {
    index: 14n,
    entry: "fivten",
    proof: [
      "GiUtVP0XhIaZ/fl7ReMLgw+9YUtjFAt8kaTdfOe2u/I=",
      "3cFRCtyHVxAUTugFyRgo30efbl+BVxdTQDIGg5H61SA=",
      "bC+VwvrJbalNVjfkdI8kUgs7mJoXrqiXCE7bgnD28pY=",
    ],
  },
];

/** Consistency proofs of the log. */
export const CONSISTENCY: { from: number; to: number; proof: string[] }[] = [
  { from: 8, to: 15, proof: ["5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks="] },
  {
    from: 6,
    to: 8,
    proof: [
      "ycRkkNklus5eMVRUvkD1pK321vMrA+jjOiZKU8aOcY4=",
      "nk9gCR+floFqznAPtqjjcnnV64dge2jQB95D5t164Hg=",
      "zY1lN35vrXYAPixXSd59LsU29xUJtuW4o2dNNg5Y2Co=",
    ],
  },
  {
    from: 3,
    to: 7,
    proof: [
      "Zx8UbF5HHooag6PCFM5LqQe486WIjRTMjNPOdbsS75Q=",
      "9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=",
      "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=",
      "wVNSoGEUdzQTVZfXnUuDiK7m3gJ5rbJqmQx/6vHF+yA=",
    ],
  },
];

