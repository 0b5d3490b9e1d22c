# Adds up the area under 4/(1+x²) between 0 and 1, by so many rectangles, and leaves it as the task's result.
BEGIN {
    steps = ARGV[1]; rule = ARGV[2]
    shift = rule == "left" ? 0 : 0.5
    for (i = 0; i < steps; i++) { x = (i + shift) / steps; area += 4 / (1 + x * x) / steps }
    printf "%s, %d steps: %.6f\n", rule, steps, area
    printf "{\"pi\": %.6f}", area > ENVIRON["MINION_RESULT_FILE"]
}
