internal import Platform
internal import Settings

extension ProcessorList {
    /// The processors as a thread is put on them; `nil` when nothing is said.
    var set: ProcessorSet? { processors.isEmpty ? nil : ProcessorSet(processors) }
}
