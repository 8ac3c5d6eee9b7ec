import Linux
import OCI

extension Connection {
    /// Removes the steps of builds for which there is no room; those that have expired are gone. `limit`: bytes; nil: all
    /// are to go.
    func judgeSteps(_ plan: inout CollectionPlan, limit: UInt64?) throws {
        var seen: Set<Digest> = []
        var sum: UInt64 = 0
        for step in try steps() {
            let images: Int64? = try value(
                "SELECT count(*) FROM image_layers JOIN layers ON layers.id = layer WHERE diffid = ?",
                step.layer
            )
            if images == 0, seen.insert(step.layer).inserted {
                sum = sum.addingReportingOverflow(step.size).partialValue
            }
            guard let limit else {
                try removeLease(step.lease)
                plan.goes(.lease, step.lease, "the steps of builds are to be forgotten")
                continue
            }
            if sum > limit {
                try removeLease(step.lease)
                plan.goes(.lease, step.lease, "steps that were used later take \(limit >> 30) GiB")
            } else {
                plan.lives(.lease, step.lease, "a step of a build, kept for two weeks after its last use")
            }
        }
    }
}
