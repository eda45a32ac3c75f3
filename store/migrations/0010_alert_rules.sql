-- How sure an alert must be, by code and by grade; shouhuan calibrate keeps budgets of false alerts with them.
ALTER TABLE grade_plan ADD COLUMN patience double precision NOT NULL DEFAULT 1;
CREATE TABLE alert_rule (
    code      text             NOT NULL,
    patience  double precision NOT NULL,
    budget    double precision,
    version   bigint           NOT NULL,
    validity  tstzrange        NOT NULL,
    recorded  tstzrange        NOT NULL
);
CREATE UNIQUE INDEX alert_rule_current ON alert_rule (code) WHERE upper_inf(recorded);
