/** Why a job is delivered: by how its delivery before ended. */

/** It failed; its worker went silent; it was given back uncounted; it came back from the dead letters. */
export const REDELIVERY_REASONS = ["retry", "lease_expired", "released", "redrive"] as const;

export type DeliveryReason = "first" | (typeof REDELIVERY_REASONS)[number];
